using System;
using System.Globalization;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>Kubernetes quantities: <c>128Mi</c>, <c>0.5</c>, <c>250m</c>, <c>1e3</c>.</summary>
internal static class Quantity
{
    private static readonly (string Suffix, decimal Factor)[] s_suffixes =
    [
        ("Ki", 1024m), ("Mi", 1048576m), ("Gi", 1073741824m), ("Ti", 1099511627776m),
        ("n", 1e-9m), ("u", 1e-6m), ("m", 1e-3m), ("k", 1e3m), ("M", 1e6m), ("G", 1e9m), ("T", 1e12m),
    ];

    /// <summary>The value in its unit, or null where the text is no quantity.</summary>
    public static decimal? Parse(string? text)
    {
        foreach ((string suffix, decimal factor) in s_suffixes)
        {
            if (text is not null && text.EndsWith(suffix, StringComparison.Ordinal))
            {
                return ParseNumber(text[..^suffix.Length]) * factor;
            }
        }

        return text is null ? null : ParseNumber(text);
    }

    /// <summary>A container's limit for a resource, or null.</summary>
    public static decimal? Limit(JsonObject container, string resource)
    {
        JsonNode? value = container.At("resources", "limits", resource);
        return value is JsonValue ? Parse(value.Text() ?? value.ToJsonString()) : null;
    }

    private static decimal? ParseNumber(string text) =>
        decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number) ? number : null;
}
