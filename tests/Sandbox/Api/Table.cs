using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>The rows that kubectl prints, for pods, namespaces and events.</summary>
internal static class Table
{
    /// <summary>True where the client would rather have a table.</summary>
    public static bool Wanted(ApiRequest request) =>
        request.Resource is not "nodes"
        && request.Context.Request.Headers.Accept.ToString().Contains("as=Table;v=v1;", StringComparison.Ordinal);

    public static JsonObject Build(string resource, IEnumerable<JsonObject> objects, JsonObject metadata)
    {
        string[] columns = resource switch
        {
            "pods" => ["Name", "Ready", "Status", "Restarts", "Age"],
            "namespaces" => ["Name", "Status", "Age"],
            _ => ["Last Seen", "Type", "Reason", "Object", "Message"],
        };
        return new JsonObject
        {
            ["kind"] = "Table",
            ["apiVersion"] = "meta.k8s.io/v1",
            ["metadata"] = metadata,
            ["columnDefinitions"] = new JsonArray([.. columns.Select(name => (JsonNode)new JsonObject
            {
                ["name"] = name,
                ["type"] = "string",
                ["format"] = name == "Name" ? "name" : "",
                ["description"] = "",
                ["priority"] = 0,
            })]),
            ["rows"] = new JsonArray([.. objects.Select(value => (JsonNode)new JsonObject
            {
                ["cells"] = Cells(resource, value),
                ["object"] = new JsonObject
                {
                    ["kind"] = "PartialObjectMetadata",
                    ["apiVersion"] = "meta.k8s.io/v1",
                    ["metadata"] = value["metadata"]?.DeepClone(),
                },
            })]),
        };
    }

    private static JsonArray Cells(string resource, JsonObject value)
    {
        string age = Age(value.Text("metadata", "creationTimestamp"));
        return resource switch
        {
            "pods" => JsonAccess.ToArray([value.NameOf(), Ready(value), Status(value), Restarts(value), age]),
            "namespaces" => JsonAccess.ToArray([value.NameOf(), value.Text("status", "phase") ?? "", age]),
            _ => JsonAccess.ToArray(
            [
                Age(value.Text("lastTimestamp")), value.Text("type") ?? "", value.Text("reason") ?? "",
                "pod/" + value.Text("involvedObject", "name"), value.Text("message") ?? "",
            ]),
        };
    }

    private static string Ready(JsonObject pod)
    {
        IReadOnlyList<JsonObject> statuses = pod.Items("status", "containerStatuses");
        int ready = statuses.Count(status => status.Flag("ready") == true);
        return $"{ready}/{pod.Items("spec", "containers").Count}";
    }

    private static string Status(JsonObject pod)
    {
        if (pod.Text("metadata", "deletionTimestamp") is not null)
        {
            return "Terminating";
        }

        string? reason = pod.Items("status", "containerStatuses")
            .Select(status => status.Text("state", "waiting", "reason") ?? status.Text("state", "terminated", "reason"))
            .FirstOrDefault(text => !string.IsNullOrEmpty(text));
        return reason ?? pod.Text("status", "reason") ?? pod.Text("status", "phase") ?? "Unknown";
    }

    private static string Restarts(JsonObject pod) =>
        pod.Items("status", "containerStatuses").Sum(status => status.Number("restartCount") ?? 0)
            .ToString(CultureInfo.InvariantCulture);

    private static string Age(string? timestamp)
    {
        if (!DateTimeOffset.TryParse(timestamp, CultureInfo.InvariantCulture, out DateTimeOffset time))
        {
            return "<unknown>";
        }

        TimeSpan age = DateTimeOffset.UtcNow - time;
        return age.TotalMinutes < 2 ? $"{age.TotalSeconds:0}s"
            : age.TotalHours < 3 ? $"{age.TotalMinutes:0}m"
            : $"{age.TotalHours:0}h";
    }
}
