using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>JSON patch (RFC 6902).</summary>
internal static class JsonPatch
{
    /// <summary>Applies all operations; 422 where one does not fit, as the API server has it.</summary>
    public static JsonObject Apply(JsonObject target, IReadOnlyList<JsonObject> operations)
    {
        foreach (JsonObject operation in operations)
        {
            string path = operation.Text("path") ?? throw Failed();
            switch (operation.Text("op"))
            {
                case "add":
                    Add(target, path, operation["value"]?.DeepClone());
                    break;
                case "replace":
                    Remove(target, path);
                    Add(target, path, operation["value"]?.DeepClone());
                    break;
                case "remove":
                    Remove(target, path);
                    break;
                case "test":
                    if (!JsonNode.DeepEquals(Find(target, path), operation["value"]))
                    {
                        throw Failed();
                    }

                    break;
                case "copy" or "move":
                    string from = operation.Text("from") ?? throw Failed();
                    JsonNode? value = Find(target, from)?.DeepClone();
                    if (operation.Text("op") == "move")
                    {
                        Remove(target, from);
                    }

                    Add(target, path, value);
                    break;
                default:
                    throw Failed();
            }
        }

        return target;
    }

    private static JsonNode? Find(JsonObject target, string path) =>
        Parts(path).Aggregate((JsonNode?)target, (node, part) => node switch
        {
            JsonObject map => map[part],
            JsonArray list => list[Index(list, part, list.Count - 1)],
            _ => null,
        });

    private static void Add(JsonObject target, string path, JsonNode? value)
    {
        (JsonNode parent, string last) = Parent(target, path);
        if (parent is JsonArray list)
        {
            list.Insert(last == "-" ? list.Count : Index(list, last, list.Count), value);
        }
        else
        {
            ((JsonObject)parent)[last] = value;
        }
    }

    private static void Remove(JsonObject target, string path)
    {
        (JsonNode parent, string last) = Parent(target, path);
        if (parent is JsonArray list)
        {
            list.RemoveAt(Index(list, last, list.Count - 1));
        }
        else if (!((JsonObject)parent).Remove(last))
        {
            throw Failed();
        }
    }

    private static (JsonNode Parent, string Last) Parent(JsonObject target, string path)
    {
        int slash = path.LastIndexOf('/');
        if (slash < 0)
        {
            throw Failed();
        }

        JsonNode? parent = Find(target, path[..slash]);
        return parent is JsonObject or JsonArray
            ? (parent, Plain(path[(slash + 1)..]))
            : throw Failed();
    }

    private static IEnumerable<string> Parts(string path) => path.Split('/').Skip(1).Select(Plain);

    private static string Plain(string part) =>
        part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);

    private static int Index(JsonArray list, string part, int last) =>
        int.TryParse(part, CultureInfo.InvariantCulture, out int index) && index >= 0 && index <= last
            ? index
            : throw Failed();

    private static ApiException Failed() =>
        new(422, "Invalid", "the server rejected our request due to an error in our request");
}
