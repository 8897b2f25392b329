using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace PyDebug.Engine;

/// <summary>
/// Turns a YAML document into JSON nodes. Made from the parser's events, with the depth counted before anything is
/// built: the library's own tree is built by recursion without a limit, and its stack's end would be the process's.
/// </summary>
internal sealed class Yaml
{
    private const int MaxDepth = 32;
    private const int MaxNodes = 1_000_000;

    private readonly IParser _parser;
    private readonly Dictionary<AnchorName, (JsonNode? Node, int Size)> _anchors = [];
    private int _budget = MaxNodes;

    private Yaml(string text) => _parser = new Parser(new StringReader(text));

    /// <summary>Reads the first document; null when there is none or it is no mapping.</summary>
    /// <exception cref="FormatException">The text is not YAML, or its aliases unfold without end.</exception>
    public static JsonObject? ParseObject(string text)
    {
        try
        {
            Yaml yaml = new(text);
            return yaml.Next() is StreamStart && yaml.Next() is DocumentStart
                ? yaml.Node(yaml.Next(), 0) as JsonObject
                : null;
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

    private static FormatException TooMuch()
        => new("it is nested too deeply or its aliases unfold to too much");

    private static int Height(JsonNode? node)
    {
        int most = 0;
        switch (node)
        {
            case JsonObject value:
                foreach (KeyValuePair<string, JsonNode?> entry in value)
                {
                    most = Math.Max(most, 1 + Height(entry.Value));
                }

                break;
            case JsonArray array:
                foreach (JsonNode? item in array)
                {
                    most = Math.Max(most, 1 + Height(item));
                }

                break;
        }

        return most;
    }

    private static JsonValue? Value(Scalar scalar)
    {
        string text = scalar.Value;
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

    private ParsingEvent? Next()
    {
        try
        {
            return _parser.MoveNext() ? _parser.Current : null;
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            // The scanner fails so on some texts that are no YAML.
            throw new FormatException("it is not valid YAML", e);
        }
    }

    private JsonNode? Node(ParsingEvent? first, int depth)
    {
        if (depth > MaxDepth || --_budget < 0)
        {
            throw TooMuch();
        }

        int before = _budget;
        JsonNode? node = first switch
        {
            MappingStart => Mapping(depth),
            SequenceStart => Sequence(depth),
            AnchorAlias alias => Copy(alias, depth),
            Scalar scalar => Value(scalar),
            _ => throw new FormatException("it ends too early"),
        };
        if (first is NodeEvent { Anchor.IsEmpty: false } named)
        {
            _anchors[named.Anchor] = (node, before - _budget);
        }

        return node;
    }

    private JsonObject Mapping(int depth)
    {
        JsonObject value = [];
        for (ParsingEvent? e = Next(); e is not MappingEnd; e = Next())
        {
            // A name that is no text names nothing that is looked for; it is read past.
            string? name = e is Scalar scalar ? scalar.Value : null;
            Node(e, depth + 1);
            JsonNode? content = Node(Next(), depth + 1);
            if (name is not null)
            {
                value.Add(name, content);
            }
        }

        return value;
    }

    private JsonArray Sequence(int depth)
    {
        JsonArray array = [];
        for (ParsingEvent? e = Next(); e is not SequenceEnd; e = Next())
        {
            array.Add(Node(e, depth + 1));
        }

        return array;
    }

    private JsonNode? Copy(AnchorAlias alias, int depth)
    {
        if (!_anchors.TryGetValue(alias.Value, out (JsonNode? Node, int Size) known))
        {
            throw new FormatException("an alias stands before what it is for");
        }

        _budget -= known.Size;
        return _budget < 0 || depth + Height(known.Node) > MaxDepth ? throw TooMuch() : known.Node?.DeepClone();
    }
}
