using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>A pod's QoS class.</summary>
internal static class QualityOfService
{
    public static string Of(JsonObject pod)
    {
        IReadOnlyList<JsonObject> containers = pod.Items("spec", "containers");
        if (containers.All(item => IsEmpty(item, "limits") && IsEmpty(item, "requests")))
        {
            return "BestEffort";
        }

        return containers.All(item => IsGuaranteed(item, "cpu") && IsGuaranteed(item, "memory"))
            ? "Guaranteed"
            : "Burstable";
    }

    private static bool IsEmpty(JsonObject container, string kind) =>
        container.Object("resources", kind) is not { Count: > 0 };

    private static bool IsGuaranteed(JsonObject container, string resource)
    {
        decimal? limit = Quantity.Limit(container, resource);
        JsonNode? request = container.At("resources", "requests", resource);
        return limit is not null
            && (request is null || Quantity.Parse(request.Text() ?? request.ToJsonString()) == limit);
    }
}
