using System;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>Binds pods to the one node, or says why they do not fit.</summary>
internal sealed class Scheduler
{
    /// <summary>The labels of the node.</summary>
    public static JsonObject NodeLabels() => new()
    {
        ["kubernetes.io/os"] = "linux",
        ["kubernetes.io/hostname"] = NodeContext.NodeName,
        ["kubernetes.io/arch"] =
            System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture
                == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64",
    };

    /// <summary>Writes the node's name into a pod, or a condition that says why not; returns that or null.</summary>
    public string? Bind(JsonObject pod)
    {
        JsonObject labels = NodeLabels();
        bool selected = (pod.Object("spec", "nodeSelector") ?? []).All(
            wanted => labels.Text(wanted.Key) == wanted.Value.Text());
        string? named = pod.Text("spec", "nodeName");
        bool linux = pod.Text("spec", "os", "name") is null or "linux";
        if (selected && linux && named is null or NodeContext.NodeName)
        {
            pod.Ensure("spec")["nodeName"] = NodeContext.NodeName;
            return null;
        }

        if (named is not null)
        {
            return $"node \"{named}\" not found";
        }

        string message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims "
            + "to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
        pod.Ensure("status")["conditions"] = new JsonArray(new JsonObject
        {
            ["type"] = "PodScheduled",
            ["status"] = "False",
            ["reason"] = "Unschedulable",
            ["message"] = message,
            ["lastProbeTime"] = null,
            ["lastTransitionTime"] = EventRecorder.Timestamp(DateTime.UtcNow),
        });
        return message;
    }
}
