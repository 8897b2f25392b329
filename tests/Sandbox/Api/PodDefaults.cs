using System;
using System.Collections.Generic;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>The defaults the API server writes into pods.</summary>
internal static class PodDefaults
{
    /// <summary>Metadata, specification and a first status of a pod that is to be created.</summary>
    public static void Apply(JsonObject pod, string space)
    {
        pod["kind"] = "Pod";
        pod["apiVersion"] = "v1";
        JsonObject metadata = pod.Ensure("metadata");
        if (metadata.Text("name") is null && metadata.Text("generateName") is string prefix)
        {
            metadata["name"] = prefix + Guid.NewGuid().ToString("N")[..5];
        }

        metadata["namespace"] = metadata.Text("namespace") ?? space;
        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = Node.EventRecorder.Timestamp(DateTime.UtcNow);
        metadata["generation"] = 1;
        metadata.Remove("resourceVersion");
        JsonObject spec = pod.Ensure("spec");
        spec["restartPolicy"] ??= "Always";
        spec["terminationGracePeriodSeconds"] ??= 30;
        spec["dnsPolicy"] ??= "ClusterFirst";
        spec["serviceAccountName"] ??= "default";
        spec["serviceAccount"] ??= spec["serviceAccountName"]!.DeepClone();
        spec["securityContext"] ??= new JsonObject();
        spec["schedulerName"] ??= "default-scheduler";
        spec["enableServiceLinks"] ??= true;
        spec["preemptionPolicy"] ??= "PreemptLowerPriority";
        spec["priority"] ??= 0;
        foreach (string list in (string[])["initContainers", "containers"])
        {
            foreach (JsonObject container in spec.Items(list))
            {
                ApplyContainer(container);
                container["resources"] ??= new JsonObject();
                DefaultRequests(container);
            }
        }

        pod["status"] = new JsonObject
        {
            ["phase"] = "Pending",
            ["qosClass"] = Node.QualityOfService.Of(pod),
        };
    }

    /// <summary>The fields of a container, of whatever kind, that have a default.</summary>
    public static void ApplyContainer(JsonObject container)
    {
        string image = container.Text("image") ?? "";
        string last = image[(image.LastIndexOf('/') + 1)..];
        bool latest = !image.Contains('@', StringComparison.Ordinal)
            && (!last.Contains(':', StringComparison.Ordinal) || last.EndsWith(":latest", StringComparison.Ordinal));
        container["imagePullPolicy"] ??= latest ? "Always" : "IfNotPresent";
        container["terminationMessagePath"] ??= "/dev/termination-log";
        container["terminationMessagePolicy"] ??= "File";
        foreach (JsonObject port in container.Items("ports"))
        {
            port["protocol"] ??= "TCP";
        }

        foreach (JsonObject variable in container.Items("env"))
        {
            if (variable.Object("valueFrom", "fieldRef") is JsonObject reference)
            {
                reference["apiVersion"] ??= "v1";
            }
        }
    }

    private static void DefaultRequests(JsonObject container)
    {
        if (container.Object("resources", "limits") is not { Count: > 0 } limits)
        {
            return;
        }

        JsonObject requests = container.Ensure("resources", "requests");
        foreach (KeyValuePair<string, JsonNode?> limit in limits)
        {
            requests[limit.Key] ??= limit.Value?.DeepClone();
        }
    }
}
