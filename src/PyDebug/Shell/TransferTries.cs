using System;
using System.Diagnostics;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;

namespace PyDebug.Commands;

/// <summary>
/// Tries a transfer again where its connection was cut: as often as something new comes, and a few times where nothing
/// does.
/// </summary>
internal sealed class TransferTries(AgentRun run)
{
    private readonly int _failures = run.Failures;

    private const int MostInVain = 7;

    private static readonly TimeSpan s_first = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(8);

    /// <summary>Transfers.</summary>
    /// <param name="attempt">One try: its number from 0 on, and what is left of the time.</param>
    /// <param name="moved">How many bytes have come, or gone, in all tries.</param>
    /// <param name="ct">Stops it.</param>
    /// <param name="cut">How an exchange before these was cut, after which the first of them is tried like any
    /// other.</param>
    /// <exception cref="EngineException">It failed otherwise, or the time is over, or nothing comes any
    /// more.</exception>
    public async Task RunAsync(
        Func<int, TimeSpan, CancellationToken, Task> attempt,
        Func<long> moved,
        CancellationToken ct,
        EngineException? cut = null)
    {
        Stopwatch clock = Stopwatch.StartNew();
        if (cut is not null)
        {
            Tell(cut, moved(), 0);
        }

        int inVain = 0;
        for (int number = 0; ; number++)
        {
            long before = moved();
            try
            {
                await attempt(number, run.Limit - clock.Elapsed, ct).ConfigureAwait(false);
                return;
            }
            catch (EngineException e) when (MayGoOn(e) && !ct.IsCancellationRequested)
            {
                inVain = moved() > before ? 0 : inVain + 1;
                TimeSpan pause = s_first * Math.Pow(2.5, inVain);
                pause = pause < s_longest ? pause : s_longest;
                if (inVain >= MostInVain || clock.Elapsed + pause >= run.Limit)
                {
                    throw;
                }

                Tell(e, moved(), cut is null ? number : number + 1);
                await run.Pause(pause, ct).ConfigureAwait(false);
            }
        }
    }

    private void Tell(EngineException cut, long moved, int number)
        => run.Writer.Tell(string.Create(
            CultureInfo.InvariantCulture,
            $"{run.Session.Target()}: {cut.Message} It goes on after {moved:#,0} bytes (cut {number + 1})."));

    /// <summary>
    /// Whether the connection was lost, and not the agent: nobody knows then how that would have ended.
    /// </summary>
    internal static bool IsCut(EngineException e) => e.Cause switch
    {
        Causes.ConnectionFailed or Causes.PeerSilent => true,
        Causes.OutcomeUnknown => !e.Detail.ContainsKey(GoneDiagnosis.ExitCode),
        Causes.AgentStartFailed => e.InnerException is not null,
        Causes.RequestFailed or Causes.ExecFailed or Causes.NodeUnreachable
            => e.StatusCode is 429 or (>= 500 and < 505),
        _ => e.Retryable,
    };

    /// <summary>
    /// A server that never answered is no cut connection, and what the agent refused it would refuse again.
    /// </summary>
    private bool MayGoOn(EngineException e) => IsCut(e) && run.HasAnswered && run.Failures == _failures;
}
