using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PyDebug.Tests.Module;

/// <summary>JSON as ConvertFrom-Json hands it over, which the tests' runspace has not.</summary>
internal static class PipedJson
{
    /// <summary>As objects: what looks like a time is one.</summary>
    public static object? ToObject(JsonNode? node)
    {
        if (node is JsonArray array)
        {
            return array.Select(ToObject).ToArray();
        }

        if (node is not JsonObject table)
        {
            return ToValue(node);
        }

        PSObject made = new();
        foreach ((string name, JsonNode? value) in table)
        {
            made.Properties.Add(new PSNoteProperty(name, ToObject(value)));
        }

        return made;
    }

    /// <summary>As hashtables (-AsHashtable).</summary>
    public static object? ToTable(JsonNode? node) => node switch
    {
        JsonArray array => array.Select(ToTable).ToArray(),
        JsonObject table => new System.Collections.Hashtable(
            table.ToDictionary(p => p.Key, p => ToTable(p.Value)), StringComparer.Ordinal),
        _ => ToValue(node),
    };

    private static object? ToValue(JsonNode? node) => node?.GetValueKind() switch
    {
        JsonValueKind.String => DateTime.TryParseExact(
            node.ToString(), "yyyy-MM-ddTHH:mm:ssZ", null, System.Globalization.DateTimeStyles.AdjustToUniversal,
            out DateTime time)
            ? time
            : node.ToString(),
        JsonValueKind.True or JsonValueKind.False => node.GetValue<bool>(),
        JsonValueKind.Number => (long)double.Parse(
            node.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture),
        _ => null,
    };
}
