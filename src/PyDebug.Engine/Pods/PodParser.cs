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
        JsonObject? spec = Json.Object(pod, "spec");
        return new()
        {
            Reference = new()
            {
                Namespace = Json.Text(pod, "metadata", "namespace") ?? string.Empty,
                Name = Json.Text(pod, "metadata", "name") ?? string.Empty,
                Uid = Json.Text(pod, "metadata", "uid") ?? string.Empty,
            },
            Phase = Json.Text(pod, "status", "phase") ?? "Unknown",
            NodeName = Json.Text(spec, "nodeName"),
            Os = Json.Text(spec, "os", "name") ?? Json.Text(spec, "nodeSelector", "kubernetes.io/os"),
            Deleting = Json.Text(pod, "metadata", "deletionTimestamp") is not null,
            Containers = [.. Json.Objects(spec, "containers").Select(c => Container(pod, c, Status(pod, "containerStatuses", c)))],
            DefaultContainer = Json.Text(pod, "metadata", "annotations", "kubectl.kubernetes.io/default-container"),
            Raw = pod,
        };
    }

    /// <summary>The status of a container of the given list, by name.</summary>
    public static JsonObject? Status(JsonObject pod, string list, JsonObject container)
    {
        string? name = Json.Text(container, "name");
        return Json.Objects(pod, "status", list).FirstOrDefault(s => Json.Text(s, "name") == name);
    }

    /// <summary>An id without its runtime: <c>containerd://0123</c> becomes <c>0123</c>.</summary>
    public static string? ContainerId(JsonObject? status)
    {
        string? id = Json.Text(status, "containerID");
        int scheme = id?.IndexOf("://", StringComparison.Ordinal) ?? -1;
        return string.IsNullOrEmpty(id) ? null : scheme < 0 ? id : id[(scheme + 3)..];
    }

    /// <summary>A field of the container's security context, else of the pod's.</summary>
    public static JsonNode? Security(JsonObject pod, JsonObject container, string field)
        => Json.At(container, "securityContext", field) ?? Json.At(pod, "spec", "securityContext", field);

    private static ContainerInfo Container(JsonObject pod, JsonObject container, JsonObject? status)
    {
        JsonObject? state = Json.Object(status, "state");
        JsonObject? waiting = Json.Object(state, "waiting") ?? Json.Object(state, "terminated");
        JsonObject wrapped = new()
        {
            ["user"] = Security(pod, container, "runAsUser")?.DeepClone(),
            ["group"] = Security(pod, container, "runAsGroup")?.DeepClone(),
            ["nonRoot"] = Security(pod, container, "runAsNonRoot")?.DeepClone(),
        };
        return new()
        {
            Name = Json.Text(container, "name") ?? string.Empty,
            Image = Json.Text(container, "image") ?? string.Empty,
            Running = Json.Object(state, "running") is not null,
            WaitingReason = Json.Text(waiting, "reason"),
            WaitingMessage = Json.Text(waiting, "message"),
            ContainerId = ContainerId(status),
            User = Json.Integer(status, "user", "linux", "uid") ?? Json.Integer(wrapped, "user"),
            Group = Json.Integer(status, "user", "linux", "gid") ?? Json.Integer(wrapped, "group"),
            RunAsNonRoot = Json.Flag(wrapped, "nonRoot") ?? false,
            Command = Json.Texts(container, "command"),
            MemoryLimit = Quantity.Bytes(Json.At(container, "resources", "limits", "memory")?.ToString()),
        };
    }
}
