using System;
using System.Collections.Generic;
using System.Linq;
using System.Net.Http;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>The requests about pods.</summary>
internal sealed class PodApi
{
    private const int Page = 500;

    private readonly RestClient _rest;

    public PodApi(RestClient rest) => _rest = rest;

    public async Task<PodInfo> GetAsync(string ns, string name, CancellationToken ct)
    {
        try
        {
            string doing = $"read pod '{ns}/{name}'";
            return PodParser.Parse(await _rest.GetAsync(Path(ns, name), doing, ct).ConfigureAwait(false));
        }
        catch (EngineException e) when (e.Cause == Causes.PodNotFound && e.StatusCode == 404)
        {
            if (await NamespaceMissingAsync(ns, ct).ConfigureAwait(false))
            {
                throw PatchErrors.With(e, Causes.NamespaceNotFound, $"There is no namespace '{ns}'.");
            }

            throw PatchErrors.With(e, Causes.PodNotFound, $"There is no pod '{name}' in namespace '{ns}'.");
        }
    }

    /// <summary>Reads a pod and makes sure that it is still the same one.</summary>
    public async Task<PodInfo> GetAsync(PodReference pod, CancellationToken ct)
    {
        PodInfo now = await GetAsync(pod.Namespace, pod.Name, ct).ConfigureAwait(false);
        return pod.Uid.Length == 0 || now.Reference.Uid == pod.Uid
            ? now
            : throw new EngineException(Causes.PodReplaced, $"Pod '{pod}' was replaced by another of that name.");
    }

    public async Task<IReadOnlyList<PodInfo>> ListAsync(string? ns, CancellationToken ct)
    {
        List<PodInfo> pods = [];
        string path = ns is null ? "/api/v1/pods" : $"/api/v1/namespaces/{Segment(ns)}/pods";
        string where = ns is null ? "of all namespaces" : $"of namespace '{ns}'";
        string? next = null;
        do
        {
            string query = next is null ? $"?limit={Page}" : $"?limit={Page}&continue={Uri.EscapeDataString(next)}";
            JsonObject list = await _rest.GetAsync(path + query, $"list the pods {where}", ct).ConfigureAwait(false);
            pods.AddRange(KubeJson.Objects(list, "items").Select(i => PodParser.Parse(i)));
            next = KubeJson.Text(list, "metadata", "continue");
        }
        while (!string.IsNullOrEmpty(next));
        if (pods.Count == 0 && ns is not null && await NamespaceMissingAsync(ns, ct).ConfigureAwait(false))
        {
            throw new EngineException(Causes.NamespaceNotFound, $"There is no namespace '{ns}'.") { StatusCode = 404 };
        }

        return pods;
    }

    /// <summary>Adds an ephemeral container to exactly this pod, or asks whether that would be accepted.</summary>
    public async Task<PodInfo> AddContainerAsync(
        PodInfo pod, JsonObject container, bool bindVersion, bool dryRun, CancellationToken ct)
    {
        JsonObject metadata = new() { ["uid"] = pod.Reference.Uid };
        if (bindVersion)
        {
            metadata["resourceVersion"] = KubeJson.Text(pod.Raw, "metadata", "resourceVersion");
        }

        JsonObject patch = new()
        {
            ["metadata"] = metadata,
            ["spec"] = new JsonObject { ["ephemeralContainers"] = new JsonArray(container.DeepClone()) },
        };
        string path = Path(pod.Reference.Namespace, pod.Reference.Name) + "/ephemeralcontainers?fieldManager=pydebug";
        return PodParser.Parse(await _rest.SendAsync(
            HttpMethod.Patch,
            dryRun ? path + "&dryRun=All" : path,
            "application/strategic-merge-patch+json",
            patch,
            $"add a debug container to pod '{pod.Reference}'",
            ct).ConfigureAwait(false));
    }

    /// <summary>The last event about a container of ours, a warning where there is one; null without any.</summary>
    public async Task<string?> LastEventAsync(PodReference pod, string container, CancellationToken ct)
    {
        string field = $"spec.ephemeralContainers{{{container}}}";
        string selector = $"involvedObject.uid={pod.Uid},involvedObject.fieldPath={field}";
        string path = $"/api/v1/namespaces/{Segment(pod.Namespace)}/events"
            + $"?limit=100&fieldSelector={Uri.EscapeDataString(selector)}";
        try
        {
            JsonObject list = await _rest.GetAsync(path, "list events", ct).ConfigureAwait(false);
            JsonObject? last = KubeJson.Objects(list, "items")
                .OrderBy(e => KubeJson.Text(e, "type") == "Warning")
                .ThenBy(e => KubeJson.Time(e, "lastTimestamp") ?? KubeJson.Time(e, "eventTime") ?? DateTime.MinValue)
                .LastOrDefault();
            return last is null ? null : $"{KubeJson.Text(last, "reason")}: {KubeJson.Text(last, "message")?.Trim()}";
        }
        catch (EngineException)
        {
            return null;
        }
    }

    /// <summary>Bytes the pod's containers use, from the metrics API where the cluster has it.</summary>
    public async Task<long?> MemoryUsedAsync(PodReference pod, CancellationToken ct)
    {
        string path = $"/apis/metrics.k8s.io/v1beta1/namespaces/{Segment(pod.Namespace)}/pods/{Segment(pod.Name)}";
        try
        {
            JsonObject metrics = await _rest.GetAsync(path, "read metrics", ct).ConfigureAwait(false);
            return KubeJson.Objects(metrics, "containers")
                .Sum(c => Quantity.Bytes(KubeJson.At(c, "usage", "memory")?.ToString()) ?? 0);
        }
        catch (EngineException)
        {
            return null;
        }
    }

    /// <summary>Whether we may do something with pods; null when the server does not say.</summary>
    public async Task<bool?> MayAsync(string ns, string verb, string? subresource, string? name, CancellationToken ct)
    {
        JsonObject attributes = new() { ["namespace"] = ns, ["verb"] = verb, ["resource"] = "pods" };
        if (subresource is not null)
        {
            attributes["subresource"] = subresource;
        }

        if (name is not null)
        {
            attributes["name"] = name;
        }

        JsonObject review = new()
        {
            ["apiVersion"] = "authorization.k8s.io/v1",
            ["kind"] = "SelfSubjectAccessReview",
            ["spec"] = new JsonObject { ["resourceAttributes"] = attributes },
        };
        try
        {
            JsonObject answer = await _rest.SendAsync(
                HttpMethod.Post,
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                "application/json",
                review,
                "ask for permissions",
                ct).ConfigureAwait(false);
            return KubeJson.Flag(answer, "status", "allowed");
        }
        catch (EngineException e) when (e.StatusCode is not 401 and not null)
        {
            return null;
        }
    }

    private static string Path(string ns, string name)
        => $"/api/v1/namespaces/{Segment(ns)}/pods/{Segment(name)}";

    /// <summary>One part of a path. A name of dots would be taken for a step up.</summary>
    private static string Segment(string name)
        => name is "" or "." or ".."
            ? throw new EngineException(Causes.PodNotFound, $"'{name}' is no name of a namespace or pod.")
            : Uri.EscapeDataString(name);

    private async Task<bool> NamespaceMissingAsync(string ns, CancellationToken ct)
    {
        try
        {
            await _rest.GetAsync($"/api/v1/namespaces/{Segment(ns)}", "read the namespace", ct)
                .ConfigureAwait(false);
            return false;
        }
        catch (EngineException e)
        {
            // Reading a namespace takes a permission of its own: only a clear answer counts.
            return e.Cause == Causes.NamespaceNotFound;
        }
    }
}
