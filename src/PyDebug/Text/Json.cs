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

    private const int MostFacts = 64;

    /// <summary>Each part of a document takes twelve bytes, however short its text.</summary>
    private const int MostParts = 3_000_000;

    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 32 };

    private static readonly DateTime s_latest = new(9999, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>Reads a frame's payload; null where it is not an object.</summary>
    /// <exception cref="LimitExceededException">It has so many parts that they would take more memory than the
    /// text.</exception>
    public static JsonDocument? Parse(ReadOnlyMemory<byte> payload)
    {
        try
        {
            CheckParts(payload.Span);
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

    /// <summary>A property's value; undefined where there is none.</summary>
    public static JsonElement Part(this JsonElement item, string name) => Find(item, name) ?? default;

    /// <summary>A text of any length and of any characters: it is not safe to show.</summary>
    public static string? RawText(this JsonElement item, string name)
        => Find(item, name, JsonValueKind.String) is JsonElement value ? Raw(value) : null;

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
        => Find(item, name) is JsonElement value ? Whole(value) : null;

    /// <summary>A long number that is no property.</summary>
    public static long? Whole(JsonElement value)
        => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? number : null;

    /// <summary>A property's name as it came; null where it is half a pair, which no encoding can carry.</summary>
    public static string? Name(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

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
                if (facts.Count < MostFacts && Name(property) is string key)
                {
                    facts[SafeText.Line(key)] = property.Value.ValueKind == JsonValueKind.String
                        ? Text(property.Value) ?? ""
                        : SafeText.Line(property.Value.GetRawText(), TextLength);
                }
            }
        }

        return facts;
    }

    private static void CheckParts(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < MostParts)
        {
            return;
        }

        Utf8JsonReader reader = new(payload, new JsonReaderOptions { MaxDepth = s_options.MaxDepth });
        for (int parts = 0; reader.Read(); parts++)
        {
            if (parts >= MostParts)
            {
                throw new LimitExceededException($"An answer has more than {MostParts:#,0} parts.");
            }
        }
    }

    private static JsonElement? Find(JsonElement item, string name, JsonValueKind? kind = null)
        => item.ValueKind == JsonValueKind.Object
            && Property(item, name) is JsonElement value
            && (kind is null || value.ValueKind == kind)
                ? value
                : null;

    private static JsonElement? Property(JsonElement item, string name)
    {
        try
        {
            return item.TryGetProperty(name, out JsonElement value) ? value : null;
        }
        catch (InvalidOperationException)
        {
            // Another name is half a surrogate pair. It hides none of those that are whole.
            JsonElement? found = null;
            foreach (JsonProperty property in item.EnumerateObject())
            {
                found = Name(property) == name ? property.Value : found;
            }

            return found;
        }
    }

    private static string? Text(JsonElement value)
        => Raw(value) is string text ? SafeText.Line(text, TextLength) : null;

    private static string? Raw(JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            // A lone surrogate, which no encoding can carry.
            return null;
        }
    }
}
