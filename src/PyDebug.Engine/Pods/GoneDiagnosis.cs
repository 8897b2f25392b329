using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>
/// Finds out whether a request failed because pod or container are no more. The random name of a debug container keeps
/// an exec from reaching another pod of the same name, so that is asked only afterwards.
/// </summary>
internal static partial class GoneDiagnosis
{
    /// <summary>The kubelet's word for a container that reached its memory limit.</summary>
    public const string OutOfMemory = "OOMKilled";

    /// <summary>The detail of a failure that has the agent's exit code.</summary>
    public const string ExitCode = "exitCode";

    private const int Killed = 137;

    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_together = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);
    private static readonly string[] s_stopped =
    [
        "stopped container", "stopped state", "deleted state", "no running task", "CONTAINER_EXITED", "not running",
        "container not found", "container not created", "task not found", "no such container",
    ];

    public static bool MayBeGone(EngineException e)
        => e.Cause is Causes.ExecFailed or Causes.AgentStartFailed or Causes.OutcomeUnknown or Causes.PodNotFound
                or Causes.RequestFailed or Causes.PeerSilent
            // A server that was not reached has nothing to say of the pod either.
            || (e.Cause == Causes.ConnectionFailed && e.Phase != Phases.Connect);

    /// <summary>
    /// The failure that explains <paramref name="e"/>, else that one itself. <paramref name="needs"/> says what memory
    /// was needed, as the first part of a sentence.
    /// </summary>
    public static async Task<EngineException> ExplainAsync(
        PodApi api, PodReference reference, string container, string needs, EngineException e, CancellationToken ct)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(s_timeout);
        PodInfo pod;
        try
        {
            pod = await api.GetAsync(reference, limit.Token).ConfigureAwait(false);
            Stopwatch clock = Stopwatch.StartNew();
            while (IsRunning(pod, container) && !pod.Deleting
                && (SaysStopped(e) || (IsOfKilled(e) && clock.Elapsed < s_patience)))
            {
                // The kubelet tells the API server some time after the runtime knows; an agent may be killed alone.
                await Task.Delay(s_pause, limit.Token).ConfigureAwait(false);
                pod = await api.GetAsync(reference, limit.Token).ConfigureAwait(false);
            }

            clock.Restart();
            while (WasKilled(pod, container) && !EndedWithTarget(pod, container) && clock.Elapsed < s_patience)
            {
                // It shares the target's processes and is killed with the first of them, of which the server hears
                // apart.
                await Task.Delay(s_pause, limit.Token).ConfigureAwait(false);
                pod = await api.GetAsync(reference, limit.Token).ConfigureAwait(false);
            }
        }
        catch (EngineException gone) when (gone.Cause == Causes.PodNotFound)
        {
            string? next = await Successors.FindAsync(api, reference.Namespace, reference.Name, pod: null, ct)
                .ConfigureAwait(false);
            return WithSuccessor(gone, gone.Cause, gone.Message, next);
        }
        catch (EngineException gone) when (gone.Cause is Causes.PodReplaced or Causes.NamespaceNotFound)
        {
            return gone;
        }
        catch (Exception other) when (other is EngineException or OperationCanceledException)
        {
            ct.ThrowIfCancellationRequested();
            return e;
        }

        // The kubelet ends the debug container with the others, and tells the server later.
        if (pod.Deleting && (!IsRunning(pod, container) || IsOfKilled(e) || SaysStopped(e)))
        {
            string? next = await Successors.FindAsync(api, reference.Namespace, reference.Name, pod, ct)
                .ConfigureAwait(false);
            return WithSuccessor(
                e, Causes.PodDeleting, $"Pod '{reference}' is being deleted{EndOf(pod, container)}.", next);
        }

        if (IsRunning(pod, container))
        {
            return IsOfKilled(e) && PodMemory.LimitOf(pod) is long most ? AgentKilled(e, container, needs, most) : e;
        }

        JsonObject? state = DebugContainerReader.State(pod, container);
        JsonObject? spec = DebugContainerReader.Spec(pod, container);
        string? target = KubeJson.Text(spec, "targetContainerName");
        ContainerInfo? app = pod.Find(target);
        JsonObject? ended = KubeJson.Object(state, "terminated");
        if (app is { Running: true } && PodMemory.EndedShort(pod, container, ended) is EngineException low)
        {
            return low;
        }

        string how = ended is null
            ? "is not there"
            : $"has ended ({KubeJson.Text(ended, "reason")}, code {KubeJson.Integer(ended, "exitCode")})";
        if (app is { Running: true } && EndedWithTarget(pod, container))
        {
            how = $"has ended with container '{app.Name}', which {EndOf(app)}";
        }

        if (app is { Running: true } && KubeJson.Text(ended, "reason") == OutOfMemory
            && !EndedWithTarget(pod, container))
        {
            return PatchErrors.With(
                e,
                Causes.MemoryLow,
                $"{needs}, and less is left{Under(PodMemory.LimitOf(pod))}: the kernel ended debug container "
                    + $"'{container}', and container '{app.Name}' runs on.",
                new Dictionary<string, string> { ["debugContainer"] = container, ["killed"] = "container" });
        }

        return PatchErrors.With(
            e,
            app is { Running: false } ? Causes.TargetNotRunning : Causes.DebugContainerGone,
            app is { Running: false }
                ? $"Container '{app.Name}' of pod '{reference}' is not running any more: it {EndOf(app)}. "
                    + $"Debug container '{container}' {how}."
                : $"Debug container '{container}' in pod '{reference}' {how}.",
            new Dictionary<string, string> { ["debugContainer"] = container });
    }

    /// <summary>How a container ended the last time, as <c>was OOMKilled (code 137, restart count 2)</c>.</summary>
    public static string EndOf(ContainerInfo container)
    {
        string reason = container.LastEndReason == OutOfMemory ? $"was {OutOfMemory}" : "ended";
        string other = container.LastEndReason is null or OutOfMemory ? "" : $"{container.LastEndReason}, ";
        string code = container.LastExitCode is int number ? $"code {number}, " : "";
        return $"{reason} ({other}{code}restart count {container.RestartCount})";
    }

    private static EngineException AgentKilled(EngineException e, string container, string needs, long limit)
        => PatchErrors.With(
            e,
            Causes.MemoryLow,
            $"{needs}, and less is left{Under(limit)}: the kernel ended what answers in debug container '{container}'. "
                + "The application runs on.",
            new Dictionary<string, string> { ["debugContainer"] = container, ["killed"] = "agent" });

    private static string Under(long? limit)
        => limit is long bytes ? $" under the pod's limit of {PodMemory.Mebibytes(bytes)}" : string.Empty;

    private static EngineException WithSuccessor(EngineException e, string cause, string message, string? successor)
        => PatchErrors.With(
            e, cause, message, successor is null ? null : new() { [Successors.Detail] = successor });

    /// <summary>How the target ended, as a part of a sentence; empty where it has not.</summary>
    private static string EndOf(PodInfo pod, string container)
    {
        string? target = KubeJson.Text(DebugContainerReader.Spec(pod, container), "targetContainerName");
        return pod.Find(target) is { Running: false } app
            ? $", and container '{app.Name}' {EndOf(app)}"
            : string.Empty;
    }

    /// <summary>Whether the agent was killed, as all in a container are when its first process ends.</summary>
    private static bool IsOfKilled(EngineException e)
        => e.Detail.TryGetValue(ExitCode, out string? code) && code == $"{Killed}";

    private static bool WasKilled(PodInfo pod, string container)
        => KubeJson.Integer(DebugContainerReader.State(pod, container), "terminated", "exitCode") == Killed;

    /// <summary>Whether the target ended when the debug container did.</summary>
    private static bool EndedWithTarget(PodInfo pod, string container)
    {
        string? target = KubeJson.Text(DebugContainerReader.Spec(pod, container), "targetContainerName");
        DateTime? ended = KubeJson.Time(DebugContainerReader.State(pod, container), "terminated", "finishedAt");
        return pod.Find(target)?.LastEnded is DateTime last
            && ended is DateTime own
            && (own - last).Duration() <= s_together;
    }

    private static bool SaysStopped(EngineException e)
    {
        string said = $"{e.Message} {e.ServerMessage}";
        return s_stopped.Any(words => said.Contains(words, StringComparison.OrdinalIgnoreCase))
            || TaskNotFound().IsMatch(said);
    }

    [GeneratedRegex("task [0-9a-f]+ not found", RegexOptions.CultureInvariant)]
    private static partial Regex TaskNotFound();

    private static bool IsRunning(PodInfo pod, string container)
        => KubeJson.Object(DebugContainerReader.State(pod, container), "running") is not null;
}
