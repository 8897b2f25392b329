using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>What a change may not do to a pod's metadata.</summary>
internal static class MetadataValidation
{
    /// <summary>
    /// 422 where a patch, 409 where an update is bound to another UID; 409 where either is bound to an older version
    /// than the stored one; 400 where it names another object.
    /// </summary>
    public static void Check(JsonObject old, JsonObject changed, bool patched)
    {
        string name = old.NameOf();
        if (changed.UidOf() is { Length: > 0 } uid && uid != old.UidOf())
        {
            throw patched
                ? ApiException.Invalid("Pod", name, [FieldError.InvalidText("metadata.uid", uid, "field is immutable")])
                : ApiException.Conflict("pods", name,
                    $"Precondition failed: UID in precondition: {uid}, UID in object meta: {old.UidOf()}");
        }

        if (changed.Text("metadata", "resourceVersion") is string version
            && version != old.Text("metadata", "resourceVersion"))
        {
            throw ApiException.Conflict("pods", name,
                "the object has been modified; please apply your changes to the latest version and try again");
        }

        if (changed.NameOf() != name)
        {
            throw ApiException.BadRequest(
                $"the name of the object ({changed.NameOf()}) does not match the name on the URL ({name})");
        }

        JsonObject metadata = changed.Ensure("metadata");
        foreach (string field in (string[])["uid", "creationTimestamp", "namespace", "generation"])
        {
            metadata[field] = old["metadata"]?[field]?.DeepClone();
        }
    }
}
