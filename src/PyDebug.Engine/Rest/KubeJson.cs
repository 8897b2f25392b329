using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>Reads JSON of unknown shape: what is missing or of another kind is null, never an exception.</summary>
internal static class KubeJson
{
    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 64 };

    public static JsonObject? ParseObject(ReadOnlySpan<byte> utf8)
    {
        try
        {
            JsonObject? value = JsonNode.Parse(utf8, null, s_options) as JsonObject;
            // Duplicate names are only noticed when the members are first looked at.
            _ = value?.Count;
            return value;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return null;
        }
    }

    public static JsonNode? At(JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (string name in path)
        {
            node = (node as JsonObject)?[name];
        }

        return node;
    }

    public static JsonObject? Object(JsonNode? node, params ReadOnlySpan<string> path) => At(node, path) as JsonObject;

    public static string? Text(JsonNode? node, params ReadOnlySpan<string> path)
        => At(node, path) is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    public static bool? Flag(JsonNode? node, params ReadOnlySpan<string> path)
        => At(node, path) is JsonValue value && value.TryGetValue(out bool flag) ? flag : null;

    public static long? Integer(JsonNode? node, params ReadOnlySpan<string> path)
        => At(node, path) is JsonValue value && value.TryGetValue(out long number) ? number : null;

    public static DateTime? Time(JsonNode? node, params ReadOnlySpan<string> path)
        => DateTime.TryParse(
            Text(node, path),
            CultureInfo.InvariantCulture,
            DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal,
            out DateTime time) ? time : null;

    public static IEnumerable<JsonObject> Objects(JsonNode? node, params ReadOnlySpan<string> path)
        => ObjectsOf(At(node, path) as JsonArray);

    public static List<string> Texts(JsonNode? node, params ReadOnlySpan<string> path)
    {
        List<string> texts = [];
        foreach (JsonNode? item in At(node, path) as JsonArray ?? [])
        {
            if (item is JsonValue value && value.TryGetValue(out string? text))
            {
                texts.Add(text);
            }
        }

        return texts;
    }

    private static IEnumerable<JsonObject> ObjectsOf(JsonArray? array)
    {
        foreach (JsonNode? item in array ?? [])
        {
            if (item is JsonObject value)
            {
                yield return value;
            }
        }
    }
}
