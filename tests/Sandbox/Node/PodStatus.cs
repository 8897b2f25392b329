using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>A pod's status from those of its containers.</summary>
internal static class PodStatus
{
    /// <summary>Writes the status into the pod.</summary>
    public static void Write(
        JsonObject pod, IReadOnlyCollection<ContainerRunner> runners, PodSandbox? sandbox, bool initialized)
    {
        JsonObject old = pod.Ensure("status");
        List<ContainerRunner> main = runners.Where(runner => runner.Kind == ContainerKind.Main).ToList();
        string phase = PhaseOf(main, initialized);
        string[] unready = main.Where(runner => runner.Current is null).Select(runner => runner.Name).ToArray();
        JsonObject status = new()
        {
            ["phase"] = phase,
            ["observedGeneration"] = pod.Number("metadata", "generation") ?? 1,
            ["conditions"] = BuildConditions(old, phase, sandbox is not null, initialized, unready),
            ["hostIP"] = NodeContext.HostAddress,
            ["hostIPs"] = new JsonArray(new JsonObject { ["ip"] = NodeContext.HostAddress }),
        };
        if (sandbox is not null)
        {
            status["podIP"] = sandbox.Address;
            status["podIPs"] = new JsonArray(new JsonObject { ["ip"] = sandbox.Address });
        }

        status["startTime"] = old.Text("startTime") ?? EventRecorder.Timestamp(DateTime.UtcNow);
        Add(status, "initContainerStatuses", runners.Where(runner => runner.Kind == ContainerKind.Init));
        Add(status, "containerStatuses", main);
        Add(status, "ephemeralContainerStatuses", runners.Where(runner => runner.Kind == ContainerKind.Ephemeral));
        status["qosClass"] = QualityOfService.Of(pod);
        pod["status"] = status;
    }

    private static void Add(JsonObject status, string field, IEnumerable<ContainerRunner> runners)
    {
        JsonArray list = new([.. runners.Select(runner => (JsonNode)runner.BuildStatus())]);
        if (list.Count > 0)
        {
            status[field] = list;
        }
    }

    private static string PhaseOf(List<ContainerRunner> main, bool initialized)
    {
        if (main.Count > 0 && main.All(runner => runner.FinalExitCode is not null))
        {
            return main.All(runner => runner.FinalExitCode == 0) ? "Succeeded" : "Failed";
        }

        return initialized && main.Count > 0 && main.Any(runner => runner.HasStarted) ? "Running" : "Pending";
    }

    private static JsonArray BuildConditions(
        JsonObject old, string phase, bool sandbox, bool initialized, string[] unready)
    {
        bool finished = phase is "Succeeded" or "Failed";
        bool ready = initialized && unready.Length == 0;
        string? why = phase switch
        {
            "Succeeded" => "PodCompleted",
            "Failed" => "PodFailed",
            _ => ready ? null : "ContainersNotReady",
        };
        string? message = why == "ContainersNotReady"
            ? $"containers with unready status: [{string.Join(' ', unready)}]"
            : null;
        string? initializing = initialized
            ? phase == "Succeeded" ? "PodCompleted" : null
            : "ContainersNotInitialized";
        return new JsonArray(
            Condition(old, "PodReadyToStartContainers", sandbox && !finished, null),
            Condition(old, "Initialized", initialized, initializing),
            Condition(old, "Ready", ready, why, message),
            Condition(old, "ContainersReady", ready, why, message),
            Condition(old, "PodScheduled", true, null));
    }

    private static JsonObject Condition(
        JsonObject old, string type, bool value, string? reason, string? message = null)
    {
        string text = value ? "True" : "False";
        JsonObject? before = old.Items("conditions").FirstOrDefault(item => item.Text("type") == type);
        JsonObject condition = new()
        {
            ["type"] = type,
            ["status"] = text,
            ["lastProbeTime"] = null,
            ["lastTransitionTime"] = before?.Text("status") == text
                ? before.Text("lastTransitionTime")
                : EventRecorder.Timestamp(DateTime.UtcNow),
        };
        if (reason is not null)
        {
            condition["reason"] = reason;
        }

        if (message is not null)
        {
            condition["message"] = message;
        }

        return condition;
    }
}
