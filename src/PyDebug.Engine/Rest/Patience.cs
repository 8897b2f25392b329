using System;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>The pauses between the attempts at one request, until its time is over.</summary>
internal sealed class Patience
{
    /// <summary>What a server is given that has not answered once: its address may be wrong.</summary>
    public static readonly TimeSpan Unheard = TimeSpan.FromSeconds(10);

    private const double FirstPause = 200;
    private const double LongestPause = 2000;

    /// <summary>A server that fails within does so again more often than not.</summary>
    private const int InternalErrors = 3;

    private readonly ServerHealth _health;
    private readonly TimeSpan _limit;
    private readonly long _begun;
    private int _pauses;
    private int _internal;

    /// <param name="health">How the server has been.</param>
    /// <param name="limit">How long failures that may pass are waited out.</param>
    public Patience(ServerHealth health, TimeSpan limit)
    {
        _health = health;
        _limit = limit;
        _begun = health.Clock.GetTimestamp();
    }

    /// <summary>Whether a failure is one of the way or of a busy server, and none of the request.</summary>
    public static bool MayPass(EngineException e)
        => e.StatusCode is 429 or 502 or 503 or 504 || e.Cause == Causes.NodeUnreachable
            || (e.StatusCode is null && e.Retryable && e.Cause is Causes.ConnectionFailed or Causes.Timeout);

    /// <summary>Whether it is about the way to the server and who asks, not about what is asked.</summary>
    public static bool IsOfTheWay(EngineException e)
        => e.Cause is Causes.ConnectionFailed or Causes.TlsFailed or Causes.Unauthorized or Causes.ExecPluginFailed
            || (e.Cause == Causes.Timeout && ReferenceEquals(e.Detail, ApiErrors.FixedLimit));

    /// <summary>Waits until the next attempt.</summary>
    /// <exception cref="EngineException">The failure itself, where no time is left for another attempt.</exception>
    public async Task PauseAsync(EngineException failure, CancellationToken ct)
    {
        if (failure.StatusCode == 500 && failure.Cause != Causes.NodeUnreachable && ++_internal > InternalErrors)
        {
            throw failure;
        }

        double usual = Math.Min(FirstPause * Math.Pow(2, Math.Min(_pauses++, 8)), LongestPause);
        TimeSpan pause = failure.RetryAfter
            ?? TimeSpan.FromMilliseconds(usual * (0.75 + (Random.Shared.NextDouble() / 2)));
        TimeSpan limit = _health.Answered || _limit < Unheard ? _limit : Unheard;
        TimeSpan left = limit - _health.Clock.GetElapsedTime(_begun);
        if (pause > left)
        {
            throw failure;
        }

        _health.Missed(failure, left);
        await Task.Delay(pause > TimeSpan.Zero ? pause : TimeSpan.Zero, _health.Clock, ct).ConfigureAwait(false);
    }
}
