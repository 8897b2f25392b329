using System;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace PyDebug.Engine;

/// <summary>A user's partial container, merged over ours as a strategic merge patch would.</summary>
internal static class CustomContainer
{
    private static readonly string[] s_ours = ["name", "command", "args", "targetContainerName", "image"];

    /// <summary>Reads and checks it; null when there is none.</summary>
    public static JsonObject? Parse(string? json)
    {
        if (string.IsNullOrWhiteSpace(json))
        {
            return null;
        }

        JsonObject custom = KubeJson.ParseObject(Encoding.UTF8.GetBytes(json)) ?? throw Invalid("it is no JSON object");
        foreach (string field in s_ours)
        {
            if (custom.ContainsKey(field))
            {
                throw Invalid($"it may not set '{field}'");
            }
        }

        CheckKinds(json);
        if (KubeJson.Objects(custom, "env").Select(e => KubeJson.Text(e, "name"))
            .FirstOrDefault(SessionMark.Variables.Contains) is string own)
        {
            throw Invalid($"it may not set the variable {own}");
        }

        return custom;
    }

    public static bool SetsUser(JsonObject? custom) => KubeJson.At(custom, "securityContext", "runAsUser") is not null;

    public static void Merge(JsonObject into, JsonObject custom)
    {
        foreach ((string name, JsonNode? value) in custom.ToArray())
        {
            if (name.StartsWith('$'))
            {
                throw Invalid($"directive '{name}' is not supported");
            }

            string? key = name switch { "env" => "name", "volumeMounts" => "mountPath", _ => null };
            if (value is null)
            {
                into.Remove(name);
            }
            else if (value is JsonObject inner)
            {
                if (into[name] is not JsonObject)
                {
                    into[name] = new JsonObject();
                }

                Merge((JsonObject)into[name]!, inner);
            }
            else if (key is not null && value is JsonArray items && into[name] is JsonArray present)
            {
                MergeList(present, items, key);
            }
            else
            {
                into[name] = value.DeepClone();
            }
        }
    }

    /// <summary>Kept apart, as the client library takes its time to load and is needed for this alone.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CheckKinds(string json)
    {
        try
        {
            _ = KubernetesJson.Deserialize<V1EphemeralContainer>(json);
        }
        catch (JsonException e)
        {
            throw Invalid($"field '{e.Path?.TrimStart('$', '.')}' has a value of the wrong kind");
        }
        catch (Exception e) when (e is FormatException or ArgumentException or InvalidOperationException
            or OverflowException or NotSupportedException)
        {
            // The library's readers of quantities and times say no more.
            throw Invalid("one of its quantities, times or texts cannot be read");
        }
    }

    private static void MergeList(JsonArray into, JsonArray items, string key)
    {
        foreach (JsonNode? item in items)
        {
            JsonNode? same = into.FirstOrDefault(i => KubeJson.Text(i, key) == KubeJson.Text(item, key));
            if (same is JsonObject present && item is JsonObject given)
            {
                if (key == "name" && given.ContainsKey("valueFrom"))
                {
                    present.Remove("value");
                }

                Merge(present, given);
            }
            else
            {
                into.Add(item?.DeepClone());
            }
        }
    }

    private static EngineException Invalid(string what)
        => new(Causes.CustomInvalid, $"The custom container cannot be used: {what}.");
}
