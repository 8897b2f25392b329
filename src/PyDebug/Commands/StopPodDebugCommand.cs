using System;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>
/// Ends the processes of a debug container. Its entry stays in the pod: Kubernetes cannot remove one while the pod
/// lives.
/// </summary>
[Cmdlet(VerbsLifecycle.Stop, "PodDebug", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(PodDebugSession))]
public sealed class StopPodDebugCommand : SessionCommandBase
{
    private const string Terminated = "Terminated";

    private const string Waiting = "Waiting";

    /// <summary>Writes the session that was ended.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override async Task AskAsync(AgentRun run, CancellationToken ct)
    {
        PodDebugSession session = run.Session;
        if (session.State == Waiting)
        {
            await run.Writer.WriteWarningAsync(
                $"{session.Target()}: debug container {session.DebugContainer} has not started, so there is nothing to "
                + "stop. Should it start yet, it ends by itself.",
                ct).ConfigureAwait(false);
            return;
        }

        if (session.State != Terminated)
        {
            string target = $"{session.Target()} debug container {session.DebugContainer}";
            if (!await run.Writer.ShouldProcessAsync(target, "Stop", ct).ConfigureAwait(false))
            {
                return;
            }

            try
            {
                await run.AskAsync("stop", new JsonObject(), (_, _) => ValueTask.FromResult(true), ct)
                    .ConfigureAwait(false);
            }
            catch (Exception e) when (e is EngineException { Cause: Causes.DebugContainerGone }
                or PyDebugException { ErrorRecord.FullyQualifiedErrorId: ErrorId.DebugContainerGone })
            {
                await run.Writer.WriteVerboseAsync($"{target} had ended already.", ct).ConfigureAwait(false);
            }
        }

        if (PassThru)
        {
            await run.Writer.WriteObjectAsync(
                session with { State = Terminated, Timestamp = DateTime.UtcNow },
                ct).ConfigureAwait(false);
        }
    }
}
