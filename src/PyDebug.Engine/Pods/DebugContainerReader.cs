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

    /// <summary>All of them, oldest first.</summary>
    public static List<DebugContainerInfo> Find(PodInfo pod)
        => [.. KubeJson.Objects(pod.Raw, "spec", "ephemeralContainers")
            .Select(c => Read(pod, c, reused: true)).OfType<DebugContainerInfo>()
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

    /// <summary>Describes an ephemeral container; null when it is not ours.</summary>
    public static DebugContainerInfo? Read(PodInfo pod, JsonObject container, bool reused)
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
            Profile = mark.Profile,
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
            TargetContainerId = pod.Containers.FirstOrDefault(c => c.Name == mark.Target)?.ContainerId,
        };
    }
}
