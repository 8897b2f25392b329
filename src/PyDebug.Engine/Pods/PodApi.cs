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
    private const int Page = 250;
    private const int Expired = 410;
    private const int MostBegunAnew = 2;
    private const int LongestName = 256;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private readonly RestClient _rest;
    private readonly RestClient _brief;

    public PodApi(RestClient rest)
    {
        _rest = rest;
        _brief = rest.Briefly();
    }

    /// <summary>What is wrong with the server since its last good answer; null where nothing is.</summary>
    public string? Outage => _rest.Outage;

    /// <summary>The time by the server's clock.</summary>
    public DateTime Now => _rest.Now;

    /// <summary>The pauses of what is made up of several requests, within the time of this one's.</summary>
    public Patience NewPatience() => _rest.NewPatience();

    /// <summary>The same, whose requests all together wait out failures for <paramref name="time"/>.</summary>
    public PodApi Within(TimeSpan time) => new(_rest.Within(time));

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

    /// <summary>Reads a list page by page and keeps of each pod what is wanted of it alone.</summary>
    /// <param name="ns">The namespace; null for all.</param>
    /// <param name="selector">A label selector; null for every pod.</param>
    /// <param name="keep">What to keep of a pod; null leaves it out.</param>
    /// <param name="ct">Stops it.</param>
    public async Task<IReadOnlyList<T>> ListAsync<T>(
        string? ns, string? selector, Func<PodInfo, T?> keep, CancellationToken ct)
        where T : class
    {
        List<T> kept = [];
        bool any = false;
        string labels = selector is null ? "" : $"&labelSelector={Uri.EscapeDataString(selector)}";
        string path = ns is null ? "/api/v1/pods" : $"/api/v1/namespaces/{Segment(ns)}/pods";
        string where = ns is null ? "of all namespaces" : $"of namespace '{ns}'";
        string? next = null;
        int begunAnew = 0;
        while (true)
        {
            string query = $"?limit={Page}{labels}"
                + (next is null ? "" : $"&continue={Uri.EscapeDataString(next)}");
            JsonObject list;
            try
            {
                list = await _rest.GetAsync(path + query, $"list the pods {where}", ct).ConfigureAwait(false);
            }
            catch (EngineException e) when (e.Cause == Causes.Forbidden && ns is null)
            {
                throw PatchErrors.With(e, e.Cause, e.Message, new() { ["scope"] = "cluster" });
            }
            catch (EngineException e) when (e.StatusCode == Expired && next is not null && begunAnew++ < MostBegunAnew)
            {
                // The server has forgotten the state that the pages were of: those of two states make no list.
                kept.Clear();
                next = null;
                continue;
            }

            foreach (JsonObject item in KubeJson.Objects(list, "items"))
            {
                any = true;
                if (keep(PodParser.Parse(item)) is T wanted)
                {
                    kept.Add(wanted);
                }
            }

            next = KubeJson.Text(list, "metadata", "continue");
            if (string.IsNullOrEmpty(next))
            {
                break;
            }
        }

        if (!any && ns is not null && await NamespaceMissingAsync(ns, ct).ConfigureAwait(false))
        {
            throw new EngineException(Causes.NamespaceNotFound, $"There is no namespace '{ns}'.") { StatusCode = 404 };
        }

        return kept;
    }

    /// <summary>Reads a workload.</summary>
    /// <exception cref="EngineException">There is none, or it may not be read.</exception>
    public async Task<Workload> GetWorkloadAsync(WorkloadKind kind, string ns, string name, CancellationToken ct)
    {
        string path = $"/apis/{kind.Group}/v1/namespaces/{Segment(ns)}/{kind.Plural}/{Segment(name)}";
        try
        {
            JsonObject found = await _rest.GetAsync(path, $"read {kind.Word} '{ns}/{name}'", ct).ConfigureAwait(false);
            return Workload.Read(kind, found);
        }
        catch (EngineException e) when (e.StatusCode == 404)
        {
            throw await NamespaceMissingAsync(ns, ct).ConfigureAwait(false)
                ? PatchErrors.With(e, Causes.NamespaceNotFound, $"There is no namespace '{ns}'.")
                : PatchErrors.With(
                    e, Causes.WorkloadNotFound, $"There is no {kind.Word} '{name}' in namespace '{ns}'.");
        }
    }

    /// <summary>The names of the workloads of a kind, a page of them.</summary>
    public async Task<IReadOnlyList<string>> ListWorkloadsAsync(WorkloadKind kind, string ns, CancellationToken ct)
    {
        string path = $"/apis/{kind.Group}/v1/namespaces/{Segment(ns)}/{kind.Plural}?limit={Page}";
        return Names(
            await _brief.GetAsync(path, $"list the {kind.Plural} of namespace '{ns}'", ct).ConfigureAwait(false));
    }

    /// <summary>The names of the namespaces, a page of them; null where they may not be listed.</summary>
    public async Task<IReadOnlyList<string>?> ListNamespacesAsync(CancellationToken ct)
    {
        try
        {
            return Names(await _brief.GetAsync($"/api/v1/namespaces?limit={Page}", "list the namespaces", ct)
                .ConfigureAwait(false));
        }
        catch (EngineException e) when (e.StatusCode is 403 or 404)
        {
            return null;
        }
    }

    private static List<string> Names(JsonObject list)
        => [.. KubeJson.Objects(list, "items").Select(i => KubeJson.Text(i, "metadata", "name")).OfType<string>()];

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
            JsonObject list = await _brief.GetAsync(path, "list events", ct).ConfigureAwait(false);
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

    /// <summary>
    /// Bytes that the pod uses, without page cache that lies idle: by the metrics API, else by the node's kubelet,
    /// which takes <c>get</c> on nodes/proxy. Null where neither may be read, or neither knows the pod yet.
    /// </summary>
    public async Task<long?> MemoryUsedAsync(PodInfo pod, CancellationToken ct)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(s_patience);
        try
        {
            return await FromMetricsAsync(pod.Reference, limit.Token).ConfigureAwait(false)
                ?? await FromKubeletAsync(pod, limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>A node; null where it may not be read.</summary>
    public async Task<JsonObject?> NodeAsync(string name, CancellationToken ct)
    {
        try
        {
            return await _brief.GetAsync($"/api/v1/nodes/{Segment(name)}", "read the node", ct).ConfigureAwait(false);
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

    private async Task<long?> FromMetricsAsync(PodReference pod, CancellationToken ct)
    {
        string path = $"/apis/metrics.k8s.io/v1beta1/namespaces/{Segment(pod.Namespace)}/pods/{Segment(pod.Name)}";
        try
        {
            JsonObject metrics = await _brief.GetAsync(path, "read metrics", ct).ConfigureAwait(false);
            List<long?> used = [.. KubeJson.Objects(metrics, "containers")
                .Select(c => Quantity.Bytes(KubeJson.At(c, "usage", "memory")?.ToString()))];
            return used.Count > 0 && used.All(u => u > 0) ? used.Sum() : null;
        }
        catch (EngineException)
        {
            return null;
        }
    }

    private async Task<long?> FromKubeletAsync(PodInfo pod, CancellationToken ct)
    {
        if (string.IsNullOrEmpty(pod.NodeName))
        {
            return null;
        }

        string path = $"/api/v1/nodes/{Segment(pod.NodeName)}/proxy/stats/summary?only_cpu_and_memory=true";
        try
        {
            JsonObject summary = await _brief.GetAsync(path, "read the kubelet's figures", ct).ConfigureAwait(false);
            JsonObject? found = KubeJson.Objects(summary, "pods")
                .FirstOrDefault(p => KubeJson.Text(p, "podRef", "uid") == pod.Reference.Uid);
            // Those of the pod as a whole come later than its containers'.
            long containers = KubeJson.Objects(found, "containers")
                .Sum(c => KubeJson.Integer(c, "memory", "workingSetBytes") ?? 0);
            long used = Math.Max(containers, KubeJson.Integer(found, "memory", "workingSetBytes") ?? 0);
            return used > 0 ? used : null;
        }
        catch (EngineException)
        {
            return null;
        }
    }

    /// <summary>The name by which the server knows who asks; null when it does not say.</summary>
    public async Task<string?> CallerAsync(CancellationToken ct)
    {
        JsonObject review = new() { ["apiVersion"] = "authentication.k8s.io/v1", ["kind"] = "SelfSubjectReview" };
        try
        {
            JsonObject answer = await _brief.SendAsync(
                HttpMethod.Post,
                "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                "application/json",
                review,
                "ask who this is",
                ct).ConfigureAwait(false);
            return KubeJson.Text(answer, "status", "userInfo", "username") is { Length: > 0 } name
                ? name[..Math.Min(name.Length, LongestName)]
                : null;
        }
        catch (EngineException)
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
            await _brief.GetAsync($"/api/v1/namespaces/{Segment(ns)}", "read the namespace", ct)
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
