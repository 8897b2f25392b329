using System;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Sandbox.Admission;
using PyDebug.Sandbox.Json;
using PyDebug.Sandbox.Node;
using PyDebug.Sandbox.Store;

namespace PyDebug.Sandbox.Api;

/// <summary>The <c>ephemeralcontainers</c> subresource.</summary>
internal sealed class EphemeralApi(ObjectStore store, Kubelet kubelet)
{
    /// <summary>Patch or update. Only <c>spec.ephemeralContainers</c> of the change counts.</summary>
    public async Task ChangeAsync(ApiRequest request)
    {
        Func<JsonObject, JsonObject> change;
        if (request.Verb == "update")
        {
            JsonObject body = await request.ReadAsync().ConfigureAwait(false);
            change = _ => body.Copy();
        }
        else
        {
            change = await Patch.ReadAsync(request).ConfigureAwait(false);
        }

        bool strategic = Patch.IsStrategic(request);
        JsonObject owner = store.Get("namespaces", "", request.Namespace);
        JsonObject result = store.Change("pods", request.Namespace, request.Name, old =>
        {
            JsonObject wanted = change(old.Copy());
            FieldTypes.Check(wanted, strategic);
            MetadataValidation.Check(old, wanted, request.Verb == "patch");
            return Apply(old, wanted, owner, request);
        }, request.DryRun);
        if (!request.DryRun)
        {
            kubelet.Update(result);
        }

        await CollectionApi.AnswerAsync(request, result).ConfigureAwait(false);
    }

    private static JsonObject Apply(JsonObject old, JsonObject wanted, JsonObject owner, ApiRequest request)
    {
        JsonObject changed = old.Copy();
        if (wanted.At("spec", "ephemeralContainers") is JsonArray entries)
        {
            changed.Ensure("spec")["ephemeralContainers"] = entries.DeepClone();
        }
        else
        {
            changed.Ensure("spec").Remove("ephemeralContainers");
        }

        foreach (JsonObject entry in changed.Items("spec", "ephemeralContainers"))
        {
            PodDefaults.ApplyContainer(entry);
            entry["resources"] ??= new JsonObject();
        }

        if (PodValidation.ValidateEphemeral(changed, old) is { Count: > 0 } errors)
        {
            throw ApiException.Invalid("Pod", request.Name, errors);
        }

        if (!JsonNode.DeepEquals(old["spec"], changed["spec"]))
        {
            PodSecurity.Enforce(owner, changed, request.Context.Response);
            changed.Ensure("metadata")["generation"] = (old.Number("metadata", "generation") ?? 1) + 1;
        }

        return changed;
    }
}
