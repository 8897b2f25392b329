using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>Reads what PyDebug needs out of a Pod object.</summary>
internal static class PodParser
{
    public static PodInfo Parse(JsonObject pod)
    {
        JsonObject? spec = KubeJson.Object(pod, "spec");
        return new()
        {
            Reference = new()
            {
                Namespace = KubeJson.Text(pod, "metadata", "namespace") ?? string.Empty,
                Name = KubeJson.Text(pod, "metadata", "name") ?? string.Empty,
                Uid = KubeJson.Text(pod, "metadata", "uid") ?? string.Empty,
            },
            Phase = KubeJson.Text(pod, "status", "phase") ?? "Unknown",
            NodeName = KubeJson.Text(spec, "nodeName"),
            Os = KubeJson.Text(spec, "os", "name") ?? KubeJson.Text(spec, "nodeSelector", "kubernetes.io/os"),
            SharesProcesses = KubeJson.Flag(spec, "shareProcessNamespace") == true
                || KubeJson.Flag(spec, "hostPID") == true,
            Deleting = KubeJson.Text(pod, "metadata", "deletionTimestamp") is not null,
            Containers = [.. KubeJson.Objects(spec, "containers")
                .Select(c => Container(pod, c, Status(pod, "containerStatuses", c), isInit: false))],
            InitContainers = [.. KubeJson.Objects(spec, "initContainers")
                .Select(c => Container(pod, c, Status(pod, "initContainerStatuses", c), isInit: true))],
            Created = KubeJson.Time(pod, "metadata", "creationTimestamp"),
            Owner = Owner(pod),
            DefaultContainer = KubeJson.Text(pod, "metadata", "annotations", "kubectl.kubernetes.io/default-container"),
            Raw = pod,
        };
    }

    /// <summary>The status of a container of the given list, by name.</summary>
    public static JsonObject? Status(JsonObject pod, string list, JsonObject container)
    {
        string? name = KubeJson.Text(container, "name");
        return KubeJson.Objects(pod, "status", list).FirstOrDefault(s => KubeJson.Text(s, "name") == name);
    }

    /// <summary>An id without its runtime: <c>containerd://0123</c> becomes <c>0123</c>.</summary>
    public static string? ContainerId(JsonObject? status)
    {
        string? id = KubeJson.Text(status, "containerID");
        int scheme = id?.IndexOf("://", StringComparison.Ordinal) ?? -1;
        return string.IsNullOrEmpty(id) ? null : scheme < 0 ? id : id[(scheme + 3)..];
    }

    /// <summary>A field of the container's security context, else of the pod's.</summary>
    public static JsonNode? Security(JsonObject pod, JsonObject container, string field)
        => KubeJson.At(container, "securityContext", field) ?? KubeJson.At(pod, "spec", "securityContext", field);

    private static PodOwner? Owner(JsonObject pod)
    {
        JsonObject? owner = KubeJson.Objects(pod, "metadata", "ownerReferences")
            .FirstOrDefault(o => KubeJson.Flag(o, "controller") == true);
        return owner is null ? null : new PodOwner(
            KubeJson.Text(owner, "kind") ?? string.Empty,
            KubeJson.Text(owner, "name") ?? string.Empty,
            KubeJson.Text(owner, "uid") ?? string.Empty,
            KubeJson.Text(pod, "metadata", "labels", "pod-template-hash"));
    }

    private static ContainerInfo Container(JsonObject pod, JsonObject container, JsonObject? status, bool isInit)
    {
        JsonObject? state = KubeJson.Object(status, "state");
        JsonObject? waiting = KubeJson.Object(state, "waiting") ?? KubeJson.Object(state, "terminated");
        JsonObject? last = KubeJson.Object(state, "terminated") ?? KubeJson.Object(status, "lastState", "terminated");
        JsonObject wrapped = new()
        {
            ["user"] = Security(pod, container, "runAsUser")?.DeepClone(),
            ["group"] = Security(pod, container, "runAsGroup")?.DeepClone(),
            ["nonRoot"] = Security(pod, container, "runAsNonRoot")?.DeepClone(),
        };
        return new()
        {
            Name = KubeJson.Text(container, "name") ?? string.Empty,
            Image = KubeJson.Text(container, "image") ?? string.Empty,
            IsInit = isInit,
            IsSidecar = isInit && KubeJson.Text(container, "restartPolicy") == "Always",
            Running = KubeJson.Object(state, "running") is not null,
            WaitingReason = KubeJson.Text(waiting, "reason"),
            WaitingMessage = KubeJson.Text(waiting, "message"),
            ContainerId = ContainerId(status),
            User = KubeJson.Integer(status, "user", "linux", "uid") ?? KubeJson.Integer(wrapped, "user"),
            Group = KubeJson.Integer(status, "user", "linux", "gid") ?? KubeJson.Integer(wrapped, "group"),
            RunAsNonRoot = KubeJson.Flag(wrapped, "nonRoot") ?? false,
            Digest = KubeJson.Text(status, "imageID")?.Split('@') is [_, string digest] ? digest : null,
            Seccomp = Security(pod, container, "seccompProfile") as JsonObject,
            AppArmor = Security(pod, container, "appArmorProfile") as JsonObject,
            Started = KubeJson.Time(state, "running", "startedAt"),
            Command = KubeJson.Texts(container, "command"),
            Arguments = KubeJson.Texts(container, "args"),
            SearchPath = KubeJson.Objects(container, "env")
                .Where(e => KubeJson.Text(e, "name") == "PATH")
                .Select(e => KubeJson.Text(e, "value"))
                .LastOrDefault(),
            RestartCount = (int)Math.Clamp(KubeJson.Integer(status, "restartCount") ?? 0, 0, int.MaxValue),
            LastEndReason = KubeJson.Text(last, "reason"),
            LastExitCode = (int?)KubeJson.Integer(last, "exitCode"),
            LastEnded = KubeJson.Time(last, "finishedAt"),
            MemoryLimit = Quantity.Bytes(
                (KubeJson.At(container, "resources", "limits", "memory") as JsonValue)?.ToString()),
        };
    }
}
