using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>Finds the debug containers of ours in a pod.</summary>
internal static class DebugContainerReader
{
    public const string Running = "Running";
    public const string Waiting = "Waiting";
    public const string Terminated = "Terminated";

    /// <summary>Those that carry our mark, oldest first.</summary>
    public static List<DebugContainerInfo> Find(PodInfo pod, KeeperProgram keeper)
        => [.. KubeJson.Objects(pod.Raw, "spec", "ephemeralContainers")
            .Select(c => Read(pod, c, keeper, reused: true)).OfType<DebugContainerInfo>()
            .OrderBy(c => c.Created).ThenBy(c => c.Name, StringComparer.Ordinal)];

    public static JsonObject? Spec(PodInfo pod, string name)
        => KubeJson.Objects(pod.Raw, "spec", "ephemeralContainers")
            .FirstOrDefault(c => KubeJson.Text(c, "name") == name);

    /// <summary>The <c>state</c> of an ephemeral container; null before the kubelet reported one.</summary>
    public static JsonObject? State(PodInfo pod, string name)
        => KubeJson.Object(
            KubeJson.Objects(pod.Raw, "status", "ephemeralContainerStatuses")
                .FirstOrDefault(s => KubeJson.Text(s, "name") == name),
            "state");

    /// <summary>Describes an ephemeral container; null when it does not carry our mark.</summary>
    public static DebugContainerInfo? Read(PodInfo pod, JsonObject container, KeeperProgram keeper, bool reused)
    {
        SessionMark? mark = SessionMark.Read(container);
        string? name = KubeJson.Text(container, "name");
        if (mark is null || name is null)
        {
            return null;
        }

        JsonObject? status = PodParser.Status(pod.Raw, "ephemeralContainerStatuses", container);
        JsonObject? state = KubeJson.Object(status, "state");
        JsonObject? running = KubeJson.Object(state, "running");
        JsonObject? terminated = KubeJson.Object(state, "terminated");
        return new()
        {
            Pod = pod.Reference,
            Name = name,
            TargetContainer = mark.Target,
            Profile = SecurityProfiles.Of(mark.Profile, container),
            AskedProfile = mark.Profile,
            IsOurs = IsOurs(pod, container, mark, keeper),
            AfterLastUse = Least(mark.Idle, DebugContainerLife.AfterLastUse),
            Life = Least(mark.Life, DebugContainerLife.Longest),
            StartedBy = mark.User,
            Reason = mark.Reason,
            SharesProcesses = pod.SharesProcesses,
            Image = KubeJson.Text(container, "image") ?? string.Empty,
            State = running is not null ? Running : terminated is not null ? Terminated : Waiting,
            Python = KubeJson.Texts(container, "command").FirstOrDefault() ?? "python3",
            NodeName = pod.NodeName,
            User = KubeJson.Integer(status, "user", "linux", "uid")
                ?? KubeJson.Integer(container, "securityContext", "runAsUser")
                ?? KubeJson.Integer(pod.Raw, "spec", "securityContext", "runAsUser"),
            Created = mark.Created,
            Started = KubeJson.Time(running ?? terminated, "startedAt"),
            Reused = reused,
            SpecHash = mark.Spec,
            TargetContainerId = pod.Find(mark.Target)?.ContainerId,
        };
    }

    private static bool IsOurs(PodInfo pod, JsonObject container, SessionMark mark, KeeperProgram keeper)
        => KubeJson.Texts(container, "command") is [string python, .. { } options]
            && options.SequenceEqual(DebugContainerPlan.Options(keeper))
            && keeper.IsIn(container)
            && pod.Find(mark.Target) is ContainerInfo target
            && Interpreter.MayStart(python, target)
            && KubeJson.Texts(container, "args").Count == 0
            && KubeJson.Text(container, "targetContainerName") == mark.Target;

    private static TimeSpan Least(long? seconds, TimeSpan most)
        => seconds is long number && number >= 0 && number < most.TotalSeconds
            ? TimeSpan.FromSeconds(number)
            : most;
}
