using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;

namespace PyDebug.Engine;

/// <summary>Reads JSON of unknown shape: what is missing or of another kind is null, never an exception.</summary>
internal static class KubeJson
{
    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 64 };

    public static JsonObject? ParseObject(ReadOnlySpan<byte> utf8)
    {
        if (!Utf8.IsValid(utf8))
        {
            // Bytes that are no text become the sign for that, as Go writes them; else they are noticed when they are
            // read.
            utf8 = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(utf8));
        }

        try
        {
            JsonObject? value = HasWholeTexts(utf8) ? JsonNode.Parse(utf8, null, s_options) as JsonObject : null;
            // Duplicate names are only noticed when the members are first looked at.
            _ = value?.Count;
            return value;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    public static JsonNode? At(JsonNode? node, params ReadOnlySpan<string> path)
    {
        try
        {
            foreach (string name in path)
            {
                node = (node as JsonObject)?[name];
            }

            return node;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // An object that has a name twice says nothing for certain; that is noticed when it is first looked into.
            return null;
        }
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

    /// <summary>
    /// Whether every text can be read: half a surrogate pair, which JSON may hold as an escape, is no text. It would be
    /// noticed only where it is looked at.
    /// </summary>
    private static bool HasWholeTexts(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IndexOf("\\ud"u8) < 0 && utf8.IndexOf("\\uD"u8) < 0)
        {
            return true;
        }

        Utf8JsonReader reader = new(utf8, new JsonReaderOptions { MaxDepth = s_options.MaxDepth });
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
            {
                // It throws where it is none.
                _ = reader.GetString();
            }
        }

        return true;
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
