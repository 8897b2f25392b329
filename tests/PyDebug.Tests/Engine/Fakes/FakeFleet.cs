using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;

namespace PyDebug.Tests.Engine;

/// <summary>Many pods and workloads behind a fake cluster's address. Execs are the cluster's own.</summary>
internal sealed class FakeFleet
{
    private readonly object _lock = new();

    public FakeFleet(FakeCluster cluster) => cluster.Before = AnswerAsync;

    /// <summary>How many pods a page of a list has.</summary>
    public int PageSize { get; set; } = 2;

    public Dictionary<string, JsonObject> Pods { get; } = [];

    /// <summary>Workloads by their path, <c>/apis/apps/v1/namespaces/shop/deployments/backend</c>.</summary>
    public Dictionary<string, JsonObject> Workloads { get; } = [];

    /// <summary>Answers a request first; null lets it through.</summary>
    public Func<FakeRequest, (int Code, JsonObject Body)?> Refuse { get; set; } = _ => null;

    /// <summary>Adds a running pod of the Deployment backend.</summary>
    public JsonObject Add(
        string name, string node = "node-a", int age = 0, string phase = "Running", string hash = "7d9")
    {
        JsonObject pod = FakeCluster.NewPod();
        JsonObject metadata = pod["metadata"]!.AsObject();
        metadata["name"] = name;
        metadata["uid"] = $"uid-{name}";
        metadata["creationTimestamp"] = $"2026-11-{20 - age:00}T10:00:00Z";
        metadata["labels"] = new JsonObject { ["app"] = "backend", ["pod-template-hash"] = hash };
        metadata["annotations"] = new JsonObject { ["kubectl.kubernetes.io/default-container"] = "app" };
        metadata["ownerReferences"] = new JsonArray(new JsonObject
        {
            ["controller"] = true, ["kind"] = "ReplicaSet", ["name"] = $"backend-{hash}", ["uid"] = $"uid-rs-{hash}",
        });
        pod["spec"]!["nodeName"] = node;
        pod["status"]!["phase"] = phase;
        Pods[name] = pod;
        return pod;
    }

    /// <summary>Adds a workload that selects app=backend.</summary>
    public void AddWorkload(string plural, string name, string group = "apps")
        => Workloads[$"/apis/{group}/v1/namespaces/shop/{plural}/{name}"] = new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = name, ["uid"] = $"uid-{plural}-{name}" },
            ["spec"] = new JsonObject
            {
                ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["app"] = "backend" } },
            },
        };

    private async Task<bool> AnswerAsync(FakeRequest request, FakeConnection connection)
    {
        if (request.IsExec)
        {
            return false;
        }

        (int code, JsonObject body) = Refuse(request) ?? Answer(request);
        await connection.RespondAsync(code, body);
        return true;
    }

    private (int Code, JsonObject Body) Answer(FakeRequest request)
    {
        lock (_lock)
        {
            string name = request.Path.Replace("/ephemeralcontainers", "").Split('/')[^1];
            return request.Path switch
            {
                "/api/v1/namespaces/shop/pods" or "/api/v1/pods" => (200, List(request)),
                "/version" => (200, new JsonObject { ["gitVersion"] = "v1.36.1", ["minor"] = "36+" }),
                _ when Workloads.TryGetValue(request.Path, out JsonObject? found) => (200, Copy(found)),
                _ when request.Path.EndsWith("/selfsubjectaccessreviews") =>
                    (201, new JsonObject { ["status"] = new JsonObject { ["allowed"] = true } }),
                _ when request.Path == $"/api/v1/namespaces/shop/pods/{name}"
                    && Pods.TryGetValue(name, out JsonObject? pod) =>
                    (200, Copy(pod)),
                _ when request.Method == "PATCH" && Pods.TryGetValue(name, out JsonObject? pod)
                    => (200, Patch(request, pod)),
                _ when request.Path.StartsWith("/api/v1/namespaces/shop/pods/") => (404, FakeConnection.Status(
                    404, "NotFound", "not found", new JsonObject { ["kind"] = "pods", ["name"] = name })),
                _ => (404, FakeConnection.Status(404, "NotFound", "not found")),
            };
        }
    }

    private JsonObject List(FakeRequest request)
    {
        string? selector = request.Query["labelSelector"];
        List<JsonObject> matching = [.. Pods.Values.Where(p => selector?.Split(',').All(t => Matches(p, t)) != false)];
        int from = int.Parse(request.Query["continue"] ?? "0");
        bool more = from + PageSize < matching.Count;
        return new()
        {
            ["kind"] = "PodList",
            ["metadata"] = new JsonObject { ["continue"] = more ? $"{from + PageSize}" : "" },
            ["items"] = new JsonArray([.. matching.Skip(from).Take(PageSize).Select(Copy)]),
        };
    }

    private static bool Matches(JsonObject pod, string term)
        => term.Split('=') is [string key, string value] && pod["metadata"]!["labels"]?[key]?.ToString() == value;

    private static JsonObject Patch(FakeRequest request, JsonObject pod)
    {
        JsonObject made = request.Target.Contains("dryRun=All") ? Copy(pod) : pod;
        foreach (JsonNode? container in request.Json["spec"]!["ephemeralContainers"]!.AsArray())
        {
            made["spec"]!["ephemeralContainers"]!.AsArray().Add(container!.DeepClone());
            made["status"]!["ephemeralContainerStatuses"]!.AsArray().Add(new JsonObject
            {
                ["name"] = container["name"]!.ToString(), ["state"] = FakeCluster.Running(),
            });
        }

        return Copy(made);
    }

    private static JsonObject Copy(JsonObject value) => value.DeepClone().AsObject();
}
