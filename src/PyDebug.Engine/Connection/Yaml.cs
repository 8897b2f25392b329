using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace PyDebug.Engine;

/// <summary>Turns a YAML document into JSON nodes.</summary>
internal static class Yaml
{
    private const int MaxDepth = 32;
    private const int MaxNodes = 1_000_000;

    /// <summary>Reads the first document; null when there is none or it is no mapping.</summary>
    /// <exception cref="FormatException">The text is not YAML, or its aliases unfold without end.</exception>
    public static JsonObject? ParseObject(string text)
    {
        try
        {
            YamlStream stream = [];
            stream.Load(new StringReader(text));
            int budget = MaxNodes;
            return stream.Documents.Count == 0
                ? null
                : Convert(stream.Documents[0].RootNode, 0, ref budget) as JsonObject;
        }
        catch (YamlException e)
        {
            // The parser's own message can quote the text, which may be a credential.
            throw new FormatException($"line {e.Start.Line}, column {e.Start.Column} is not valid YAML");
        }
        catch (ArgumentException)
        {
            throw new FormatException("a name is there twice in one mapping");
        }
    }

    private static JsonNode? Convert(YamlNode node, int depth, ref int budget)
    {
        if (depth > MaxDepth || --budget < 0)
        {
            throw new FormatException("it is nested too deeply or its aliases unfold to too much");
        }

        switch (node)
        {
            case YamlMappingNode mapping:
                JsonObject value = [];
                foreach (KeyValuePair<YamlNode, YamlNode> entry in mapping.Children)
                {
                    if (entry.Key is YamlScalarNode { Value: string name })
                    {
                        value.Add(name, Convert(entry.Value, depth + 1, ref budget));
                    }
                }

                return value;
            case YamlSequenceNode sequence:
                JsonArray array = [];
                foreach (YamlNode item in sequence.Children)
                {
                    array.Add(Convert(item, depth + 1, ref budget));
                }

                return array;
            default:
                return node is YamlScalarNode scalar ? Scalar(scalar) : null;
        }
    }

    private static JsonValue? Scalar(YamlScalarNode scalar)
    {
        string text = scalar.Value ?? string.Empty;
        if (scalar.Style is not ScalarStyle.Plain)
        {
            return JsonValue.Create(text);
        }

        return text switch
        {
            "" or "~" or "null" or "Null" or "NULL" => null,
            "true" or "True" or "TRUE" => JsonValue.Create(true),
            "false" or "False" or "FALSE" => JsonValue.Create(false),
            _ => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
                ? JsonValue.Create(number)
                : JsonValue.Create(text),
        };
    }
}
