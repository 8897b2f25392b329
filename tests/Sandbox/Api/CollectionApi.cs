using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Sandbox.Json;
using PyDebug.Sandbox.Store;

namespace PyDebug.Sandbox.Api;

/// <summary>get, list and watch, for every resource alike.</summary>
internal sealed class CollectionApi(ObjectStore store)
{
    private static readonly Dictionary<string, string> s_kinds = new(StringComparer.Ordinal)
    {
        ["pods"] = "Pod", ["namespaces"] = "Namespace", ["events"] = "Event", ["nodes"] = "Node",
    };

    public Task GetAsync(ApiRequest request)
    {
        string space = request.Resource is "namespaces" or "nodes" ? "" : request.Namespace;
        return AnswerAsync(request, store.Get(request.Resource, space, request.Name));
    }

    public Task ListAsync(ApiRequest request)
    {
        (IReadOnlyList<JsonObject> objects, long version) = store.List(request.Resource, SpaceOf(request));
        Selectors selectors = new(request.Query("labelSelector"), request.Query("fieldSelector"));
        IEnumerable<JsonObject> matching = objects.Where(selectors.Match);
        JsonObject metadata = new() { ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture) };
        if (Table.Wanted(request))
        {
            return request.WriteAsync(Table.Build(request.Resource, matching, metadata));
        }

        return request.WriteAsync(new JsonObject
        {
            ["kind"] = s_kinds[request.Resource] + "List",
            ["apiVersion"] = "v1",
            ["metadata"] = metadata,
            ["items"] = new JsonArray([.. matching]),
        });
    }

    /// <summary>Streams changes until the client goes or its time is up.</summary>
    public async Task WatchAsync(ApiRequest request, CancellationToken stopping)
    {
        Selectors selectors = new(request.Query("labelSelector"), request.Query("fieldSelector"));
        string? space = SpaceOf(request);
        long? after = request.Number("resourceVersion");
        bool initial = request.Flag("sendInitialEvents");
        bool table = Table.Wanted(request);
        using Subscription subscription = store.Watch(request.Resource, after is 0 || initial ? null : after);
        using CancellationTokenSource time =
            CancellationTokenSource.CreateLinkedTokenSource(request.Context.RequestAborted, stopping);
        time.CancelAfter(TimeSpan.FromSeconds(request.Number("timeoutSeconds") ?? 1800));
        request.Context.Response.ContentType = "application/json";
        try
        {
            foreach (WatchEvent change in subscription.Replay)
            {
                await SendAsync(change).ConfigureAwait(false);
            }

            if (initial)
            {
                await SendLineAsync(request, Bookmark(request, subscription.Version)).ConfigureAwait(false);
            }

            await request.Context.Response.Body.FlushAsync(time.Token).ConfigureAwait(false);
            await foreach (WatchEvent change in subscription.Changes.ReadAllAsync(time.Token).ConfigureAwait(false))
            {
                await SendAsync(change).ConfigureAwait(false);
                await request.Context.Response.Body.FlushAsync(time.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
        }

        async Task SendAsync(WatchEvent change)
        {
            if ((space is not null && change.Object.NamespaceOf() != space) || !selectors.Match(change.Object))
            {
                return;
            }

            JsonNode value = table
                ? Table.Build(request.Resource, [change.Object.Copy()], [])
                : change.Object.DeepClone();
            await SendLineAsync(request, new JsonObject { ["type"] = change.Type, ["object"] = value })
                .ConfigureAwait(false);
        }
    }

    public static Task AnswerAsync(ApiRequest request, JsonObject value, int code = 200) =>
        request.WriteAsync(
            Table.Wanted(request) ? Table.Build(request.Resource, [value], []) : value, code);

    private static JsonObject Bookmark(ApiRequest request, long version) => new()
    {
        ["type"] = "BOOKMARK",
        ["object"] = new JsonObject
        {
            ["kind"] = s_kinds[request.Resource],
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject
            {
                ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture),
                ["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" },
            },
        },
    };

    private static async Task SendLineAsync(ApiRequest request, JsonNode line) =>
        await request.Context.Response.Body
            .WriteAsync((byte[])[.. line.ToBytes(), (byte)'\n'], request.Context.RequestAborted)
            .ConfigureAwait(false);

    private static string? SpaceOf(ApiRequest request) =>
        request.Resource is "namespaces" or "nodes" ? "" : request.Namespace.Length > 0 ? request.Namespace : null;
}
