using System;
using System.Diagnostics;
using System.Linq;
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
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);

    private const string Terminated = "Terminated";

    private const string Running = "Running";

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
                await run.AskAsync(Operations.Stop, new JsonObject(), (_, _) => ValueTask.FromResult(true), ct)
                    .ConfigureAwait(false);
                await WaitForEndAsync(run, ct).ConfigureAwait(false);
            }
            catch (Exception e) when (IsGone(e))
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

    /// <summary>Whether what was to be stopped is there no more: by itself, or with its target or its pod.</summary>
    private static bool IsGone(Exception exception)
    {
        string? cause = exception is EngineException engine ? engine.Cause
            : exception is PyDebugException known ? known.ErrorRecord.FullyQualifiedErrorId : null;
        return cause is Causes.DebugContainerGone or Causes.TargetNotRunning or Causes.PodDeleting
            or Causes.PodNotFound or Causes.PodReplaced or Causes.NamespaceNotFound;
    }

    /// <summary>
    /// The kubelet tells the server a moment later; a start before that would find the container and take it.
    /// </summary>
    private static async Task WaitForEndAsync(AgentRun run, CancellationToken ct)
    {
        PodDebugSession session = run.Session;
        long begun = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begun) < s_patience)
        {
            PodInfo pod;
            try
            {
                pod = await run.Gateway.GetPodAsync(session.Namespace, session.PodName, ct).ConfigureAwait(false);
            }
            catch (EngineException)
            {
                // It was told to end. Whether the server knows is of no concern where it cannot be asked.
                return;
            }

            if (!run.Gateway.FindDebugContainers(pod).Any(c => c.Name == session.DebugContainer && c.State == Running))
            {
                return;
            }

            await Task.Delay(s_pause, ct).ConfigureAwait(false);
        }
    }
}
