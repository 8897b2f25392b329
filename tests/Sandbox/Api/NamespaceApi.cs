using System;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Sandbox.Json;
using PyDebug.Sandbox.Node;
using PyDebug.Sandbox.Store;

namespace PyDebug.Sandbox.Api;

/// <summary>Creates, labels and deletes namespaces.</summary>
internal sealed class NamespaceApi(ObjectStore store, Kubelet kubelet)
{
    public async Task CreateAsync(ApiRequest request)
    {
        JsonObject body = await request.ReadAsync().ConfigureAwait(false);
        JsonObject value = Build(body);
        JsonObject stored = request.DryRun ? value : store.Add("namespaces", value);
        await CollectionApi.AnswerAsync(request, stored, 201).ConfigureAwait(false);
    }

    public async Task PatchAsync(ApiRequest request)
    {
        Func<JsonObject, JsonObject> patch = await Patch.ReadAsync(request).ConfigureAwait(false);
        JsonObject result = store.Change("namespaces", "", request.Name, patch, request.DryRun);
        await CollectionApi.AnswerAsync(request, result).ConfigureAwait(false);
    }

    /// <summary>Deletes the namespace and all its pods.</summary>
    public async Task DeleteAsync(ApiRequest request)
    {
        JsonObject removed = store.Remove("namespaces", "", request.Name)
            ?? throw ApiException.NotFound("namespaces", request.Name);
        foreach (JsonObject pod in store.List("pods", request.Name).Objects)
        {
            store.Remove("pods", request.Name, pod.NameOf(), pod.UidOf());
            kubelet.Stop(pod, TimeSpan.Zero);
        }

        foreach (JsonObject item in store.List("events", request.Name).Objects.ToList())
        {
            store.Remove("events", request.Name, item.NameOf());
        }

        await CollectionApi.AnswerAsync(request, removed).ConfigureAwait(false);
    }

    /// <summary>A namespace as the server stores it.</summary>
    public static JsonObject Build(JsonObject body)
    {
        JsonObject value = body.Copy();
        value["kind"] = "Namespace";
        value["apiVersion"] = "v1";
        JsonObject metadata = value.Ensure("metadata");
        string name = metadata.Text("name") ?? "";
        if (name.Length == 0)
        {
            throw ApiException.Invalid(
                "Namespace", "", [FieldError.Required("metadata.name", "name or generateName is required")]);
        }

        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = EventRecorder.Timestamp(DateTime.UtcNow);
        metadata.Ensure("labels")["kubernetes.io/metadata.name"] = name;
        value["spec"] = new JsonObject { ["finalizers"] = JsonAccess.ToArray(["kubernetes"]) };
        value["status"] = new JsonObject { ["phase"] = "Active" };
        return value;
    }
}
