using System;
using System.Management.Automation;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Tests.Module;

/// <summary>A cmdlet whose work never ends by itself, and that counts how its work ended.</summary>
[Cmdlet(VerbsDiagnostic.Test, "Streaming", SupportsShouldProcess = true)]
public sealed class StreamingTestCommand : AsyncCommandBase
{
    internal static int CleanedUp { get; set; }

    internal static bool Started { get; set; }

    [Parameter]
    public int Errors { get; set; }

    [Parameter]
    public SwitchParameter Fail { get; set; }

    [Parameter]
    public SwitchParameter Silent { get; set; }

    [Parameter]
    public SwitchParameter Progress { get; set; }

    [Parameter]
    public int Count { get; set; } = int.MaxValue;

    protected override void EndProcessing() => Run(async (writer, ct) =>
    {
        Started = true;
        try
        {
            if (!await writer.ShouldProcessAsync("default/web", "Stream", ct))
            {
                return;
            }

            if (Silent)
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, ct);
            }

            for (int i = 0; i < Errors; i++)
            {
                await writer.WriteErrorAsync(ErrorFactory.Local(AgentCause.NoPython, $"No {i}.").ErrorRecord, ct);
            }

            if (Fail)
            {
                throw new InvalidOperationException("broken\u001b[2J");
            }

            for (int i = 0; i < Count; i++)
            {
                if (Progress)
                {
                    writer.WriteProgress(new ProgressRecord(1, "Test", "going"));
                }

                await writer.WriteObjectAsync(i, ct);
            }
        }
        finally
        {
            // Longer than a queue needs to empty: who does not wait misses it.
            await Task.Delay(200, CancellationToken.None);
            CleanedUp++;
        }
    });
}
