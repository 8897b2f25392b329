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
        JsonObject pod, IReadOnlyCollection<ContainerRunner> runners, string? address, bool initialized)
    {
        JsonObject old = pod.Ensure("status");
        List<ContainerRunner> main = runners.Where(runner => runner.Kind == ContainerKind.Main).ToList();
        string phase = PhaseOf(main, initialized);
        bool ready = main.Count > 0 && main.All(runner => runner.Current is not null);
        JsonObject status = new()
        {
            ["phase"] = phase,
            ["observedGeneration"] = pod.Number("metadata", "generation") ?? 1,
            ["conditions"] = BuildConditions(old, phase, address is not null, initialized, ready),
            ["hostIP"] = NodeContext.HostAddress,
            ["hostIPs"] = new JsonArray(new JsonObject { ["ip"] = NodeContext.HostAddress }),
        };
        if (address is not null)
        {
            status["podIP"] = address;
            status["podIPs"] = new JsonArray(new JsonObject { ["ip"] = address });
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

    private static JsonArray BuildConditions(JsonObject old, string phase, bool sandbox, bool initialized, bool ready)
    {
        string? why = phase switch
        {
            "Succeeded" => "PodCompleted",
            "Failed" => "PodFailed",
            _ => ready ? null : "ContainersNotReady",
        };
        return new JsonArray(
            Condition(old, "PodReadyToStartContainers", sandbox, null),
            Condition(old, "Initialized", initialized, initialized ? null : "ContainersNotInitialized"),
            Condition(old, "Ready", ready, why),
            Condition(old, "ContainersReady", ready, why),
            Condition(old, "PodScheduled", true, null));
    }

    private static JsonObject Condition(JsonObject old, string type, bool value, string? reason)
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

        return condition;
    }
}
