using System;
using System.Collections.Generic;
using System.Text.Json;

namespace PyDebug.Internal;

/// <summary>
/// Reads values out of JSON that may be hostile: a value of another kind than expected counts as absent, and text is
/// capped and made safe to show, since whoever prints a property prints it as it is.
/// </summary>
internal static class Json
{
    /// <summary>The most characters of a text that are kept.</summary>
    public const int TextLength = 8192;

    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 32 };

    private static readonly DateTime s_latest = new(9999, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>Reads a frame's payload; null where it is not an object.</summary>
    public static JsonDocument? Parse(ReadOnlyMemory<byte> payload)
    {
        try
        {
            JsonDocument document = JsonDocument.Parse(payload, s_options);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
            return null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static string? Text(this JsonElement item, string name)
        => Find(item, name, JsonValueKind.String) is JsonElement value ? Text(value) : null;

    public static bool? Flag(this JsonElement item, string name)
        => Find(item, name) is JsonElement value
            ? value.ValueKind switch
            {
                JsonValueKind.True => true,
                JsonValueKind.False => false,
                _ => null,
            }
            : null;

    public static int? Integer(this JsonElement item, string name)
        => Find(item, name) is JsonElement value ? Integer(value) : null;

    /// <summary>A whole number that is no property, as in a list.</summary>
    public static int? Integer(JsonElement value)
        => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number : null;

    /// <summary>A text that is no property, as in a list.</summary>
    public static string? String(JsonElement value) => value.ValueKind == JsonValueKind.String ? Text(value) : null;

    public static long? Long(this JsonElement item, string name)
        => Find(item, name, JsonValueKind.Number) is JsonElement value && value.TryGetInt64(out long number)
            ? number
            : null;

    public static double? Number(this JsonElement item, string name)
        => Find(item, name, JsonValueKind.Number) is JsonElement value
            && value.TryGetDouble(out double number)
            && double.IsFinite(number)
                ? number
                : null;

    /// <summary>Seconds since 1970 as a UTC time.</summary>
    public static DateTime? Time(this JsonElement item, string name)
        => Number(item, name) is double seconds && seconds > 0 && seconds < (s_latest - DateTime.UnixEpoch).TotalSeconds
            ? DateTime.UnixEpoch.AddTicks((long)(seconds * TimeSpan.TicksPerSecond))
            : null;

    /// <summary>The items of a list, at most so many.</summary>
    public static IEnumerable<JsonElement> Items(this JsonElement item, string name, int most)
    {
        if (Find(item, name, JsonValueKind.Array) is not JsonElement list)
        {
            yield break;
        }

        foreach (JsonElement element in list.EnumerateArray())
        {
            if (most-- <= 0)
            {
                yield break;
            }

            yield return element;
        }
    }

    /// <summary>The texts of a list, at most so many; what is not text is left out.</summary>
    public static IReadOnlyList<string> Texts(this JsonElement item, string name, int most)
    {
        List<string> texts = [];
        foreach (JsonElement element in Items(item, name, most))
        {
            if (element.ValueKind == JsonValueKind.String && Text(element) is string text)
            {
                texts.Add(text);
            }
        }

        return texts;
    }

    /// <summary>The values of an object as text, for advice.</summary>
    public static IReadOnlyDictionary<string, string> Facts(this JsonElement item, string name)
    {
        Dictionary<string, string> facts = [];
        if (Find(item, name, JsonValueKind.Object) is JsonElement value)
        {
            foreach (JsonProperty property in value.EnumerateObject())
            {
                if (facts.Count < 64)
                {
                    facts[property.Name] = property.Value.ValueKind == JsonValueKind.String
                        ? Text(property.Value) ?? ""
                        : SafeText.Line(property.Value.GetRawText(), TextLength);
                }
            }
        }

        return facts;
    }

    private static JsonElement? Find(JsonElement item, string name, JsonValueKind? kind = null)
        => item.ValueKind == JsonValueKind.Object
            && item.TryGetProperty(name, out JsonElement value)
            && (kind is null || value.ValueKind == kind)
                ? value
                : null;

    private static string? Text(JsonElement value)
    {
        try
        {
            return SafeText.Line(value.GetString(), TextLength);
        }
        catch (InvalidOperationException)
        {
            // A lone surrogate, which no encoding can carry.
            return null;
        }
    }
}
