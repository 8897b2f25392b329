using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Sandbox.Admission;
using PyDebug.Sandbox.Json;
using PyDebug.Sandbox.Node;
using PyDebug.Sandbox.Store;

namespace PyDebug.Sandbox.Api;

/// <summary>Creates, changes and deletes pods.</summary>
internal sealed class PodApi(ObjectStore store, Kubelet kubelet, Scheduler scheduler)
{
    private const string ImmutableSpec = "pod updates may not change fields other than `spec.containers[*].image`,"
        + "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
        + "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

    public async Task CreateAsync(ApiRequest request)
    {
        JsonObject pod = await request.ReadAsync().ConfigureAwait(false);
        string space = request.Namespace;
        if (pod.Text("metadata", "namespace") is string named && named != space)
        {
            throw ApiException.BadRequest(
                "the namespace of the provided object does not match the namespace sent on the request");
        }

        JsonObject owner = store.Get("namespaces", "", space);
        FieldTypes.Check(pod);
        PodDefaults.Apply(pod, space);
        if (PodValidation.Validate(pod) is { Count: > 0 } errors)
        {
            throw ApiException.Invalid("Pod", pod.NameOf(), errors);
        }

        PodSecurity.Enforce(owner, pod, request.Context.Response);
        string? misfit = scheduler.Bind(pod);
        if (request.DryRun)
        {
            if (store.Find("pods", space, pod.NameOf()) is not null)
            {
                throw ApiException.AlreadyExists("pods", pod.NameOf());
            }

            await CollectionApi.AnswerAsync(request, pod, 201).ConfigureAwait(false);
            return;
        }

        JsonObject stored = store.Add("pods", pod);
        if (misfit is null)
        {
            kubelet.Events.Record(stored, null, warning: false, "Scheduled",
                $"Successfully assigned {space}/{stored.NameOf()} to {NodeContext.NodeName}", "default-scheduler");
            kubelet.Start(stored);
        }
        else
        {
            kubelet.Events.Record(stored, null, warning: true, "FailedScheduling", misfit, "default-scheduler");
        }

        await CollectionApi.AnswerAsync(request, stored, 201).ConfigureAwait(false);
    }

    /// <summary>Changes labels and annotations. A pod's specification stays, its images too.</summary>
    public async Task PatchAsync(ApiRequest request)
    {
        Func<JsonObject, JsonObject> patch = request.Verb == "update"
            ? await ReplaceAsync(request).ConfigureAwait(false)
            : await Patch.ReadAsync(request).ConfigureAwait(false);
        JsonObject result = store.Change("pods", request.Namespace, request.Name, old =>
        {
            JsonObject changed = patch(old.Copy());
            MetadataValidation.Check(old, changed, request.Verb == "patch");
            if (!JsonNode.DeepEquals(old["spec"], changed["spec"]))
            {
                throw ApiException.Invalid("Pod", request.Name,
                    [FieldError.Forbidden("spec", ImmutableSpec)]);
            }

            changed["status"] = old["status"]?.DeepClone();
            return changed;
        }, request.DryRun);
        await CollectionApi.AnswerAsync(request, result).ConfigureAwait(false);
    }

    public async Task DeleteAsync(ApiRequest request)
    {
        JsonObject options = await request.ReadNodeAsync().ConfigureAwait(false) as JsonObject ?? [];
        JsonObject pod = Delete(request, request.Name, options);
        await CollectionApi.AnswerAsync(request, pod).ConfigureAwait(false);
    }

    public async Task DeleteCollectionAsync(ApiRequest request)
    {
        JsonObject options = await request.ReadNodeAsync().ConfigureAwait(false) as JsonObject ?? [];
        Selectors selectors = new(request.Query("labelSelector"), request.Query("fieldSelector"));
        IReadOnlyList<JsonObject> matching = store.List("pods", request.Namespace).Objects
            .Where(selectors.Match).ToList();
        JsonArray deleted = new([.. matching.Select(pod => (JsonNode)Delete(request, pod.NameOf(), options))]);
        await request.WriteAsync(new JsonObject
        {
            ["kind"] = "PodList", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["items"] = deleted,
        }).ConfigureAwait(false);
    }

    private JsonObject Delete(ApiRequest request, string name, JsonObject options)
    {
        bool dryRun = request.DryRun || options.Texts("dryRun").Contains("All");
        bool first = false;
        long grace = 0;
        JsonObject pod = store.Change("pods", request.Namespace, name, old =>
        {
            if (options.Text("preconditions", "uid") is string uid && uid != old.UidOf())
            {
                throw ApiException.Conflict("pods", name,
                    $"Precondition failed: UID in precondition: {uid}, UID in object meta: {old.UidOf()}");
            }

            first = old.Text("metadata", "deletionTimestamp") is null;
            grace = request.Number("gracePeriodSeconds") ?? options.Number("gracePeriodSeconds")
                ?? old.Number("spec", "terminationGracePeriodSeconds") ?? 30;
            grace = old.Text("spec", "nodeName") is null ? 0 : Math.Max(grace, 0);
            JsonObject metadata = old.Ensure("metadata");
            metadata["deletionTimestamp"] = EventRecorder.Timestamp(DateTime.UtcNow.AddSeconds(grace));
            metadata["deletionGracePeriodSeconds"] = grace;
            return old;
        }, dryRun);
        if (!dryRun && grace == 0)
        {
            // As with the real thing the object goes at once, and its containers as soon as they can.
            store.Remove("pods", request.Namespace, name, pod.UidOf());
        }

        if (!dryRun && (first || grace == 0))
        {
            kubelet.Stop(pod, TimeSpan.FromSeconds(grace));
        }

        return pod;
    }

    private static async Task<Func<JsonObject, JsonObject>> ReplaceAsync(ApiRequest request)
    {
        JsonObject body = await request.ReadAsync().ConfigureAwait(false);
        return _ => body.Copy();
    }
}
