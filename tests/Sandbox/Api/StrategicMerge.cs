using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>Strategic merge patch, for the lists that pods have.</summary>
internal static class StrategicMerge
{
    private const string Directive = "$patch";

    private static readonly Dictionary<string, string> s_mergeKeys = new(StringComparer.Ordinal)
    {
        ["containers"] = "name", ["initContainers"] = "name", ["ephemeralContainers"] = "name", ["volumes"] = "name",
        ["env"] = "name", ["volumeMounts"] = "mountPath", ["volumeDevices"] = "devicePath", ["ports"] = "containerPort",
        ["imagePullSecrets"] = "name", ["conditions"] = "type", ["ownerReferences"] = "uid", ["hostAliases"] = "ip",
    };

    /// <summary>Applies a patch in place.</summary>
    public static void Apply(JsonObject target, JsonObject patch)
    {
        if (patch.Text(Directive) == "replace")
        {
            target.Clear();
        }

        foreach ((string name, JsonNode? value) in patch)
        {
            if (name.StartsWith("$deleteFromPrimitiveList/", StringComparison.Ordinal))
            {
                RemoveTexts(target, name.Split('/', 2)[1], patch.Texts(name));
            }
            else if (name.StartsWith('$'))
            {
                // Ordering and retained keys: neither changes what a pod means.
                continue;
            }
            else if (value is null)
            {
                target.Remove(name);
            }
            else if (value is JsonObject change)
            {
                ApplyObject(target, name, change);
            }
            else if (value is JsonArray list && s_mergeKeys.TryGetValue(name, out string? key))
            {
                IReadOnlyList<JsonObject> order = patch.Items("$setElementOrder/" + name);
                target[name] = MergeList(target[name] as JsonArray ?? [], list, key, order);
            }
            else
            {
                target[name] = name == "finalizers" && value is JsonArray added
                    ? JsonAccess.ToArray(target.Texts(name).Union(added.Select(item => item.Text() ?? "")))
                    : value.DeepClone();
            }
        }
    }

    private static void ApplyObject(JsonObject target, string name, JsonObject change)
    {
        if (change.Text(Directive) == "delete")
        {
            target.Remove(name);
            return;
        }

        Apply(target.Ensure(name), change);
    }

    /// <summary>Without an order given, what is new comes first: so does the API server have it.</summary>
    private static JsonArray MergeList(JsonArray old, JsonArray patch, string key, IReadOnlyList<JsonObject> order)
    {
        int added = 0;
        bool replace = patch.OfType<JsonObject>().Any(item => item.Text(Directive) == "replace");
        List<JsonObject> result = replace ? [] : old.OfType<JsonObject>().Select(item => item.Copy()).ToList();
        foreach (JsonObject item in patch.OfType<JsonObject>())
        {
            string? directive = item.Text(Directive);
            if (directive == "replace")
            {
                continue;
            }

            string id = item[key]?.ToJsonString()
                ?? throw new ApiException(
                    500, "InternalError", $"map: {item.ToJsonString()} does not contain declared merge key: {key}");
            JsonObject? match = result.FirstOrDefault(other => other[key]?.ToJsonString() == id);
            if (directive == "delete")
            {
                result.Remove(match!);
            }
            else if (match is not null)
            {
                Apply(match, item);
            }
            else
            {
                JsonObject fresh = [];
                Apply(fresh, item);
                result.Insert(added++, fresh);
            }
        }

        if (order.Count > 0)
        {
            List<string?> ids = order.Select(item => item[key]?.ToJsonString()).ToList();
            result = result.OrderBy(item => ids.IndexOf(item[key]?.ToJsonString())).ToList();
        }

        return new JsonArray([.. result]);
    }

    private static void RemoveTexts(JsonObject target, string name, IReadOnlyList<string> texts)
    {
        if (target[name] is JsonArray)
        {
            target[name] = JsonAccess.ToArray(target.Texts(name).Except(texts));
        }
    }
}
