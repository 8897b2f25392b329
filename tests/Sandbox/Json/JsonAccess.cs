using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PyDebug.Sandbox.Json;

/// <summary>Reads Kubernetes objects by path; whatever is missing or of another type is null or empty.</summary>
internal static class JsonAccess
{
    private static readonly JsonSerializerOptions s_options =
        new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The node at a path of property names.</summary>
    public static JsonNode? At(this JsonNode? node, params string[] path)
    {
        foreach (string name in path)
        {
            node = (node as JsonObject)?[name];
        }

        return node;
    }

    public static JsonObject? Object(this JsonNode? node, params string[] path) => node.At(path) as JsonObject;

    public static string? Text(this JsonNode? node, params string[] path) =>
        node.At(path) is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    public static bool? Flag(this JsonNode? node, params string[] path) =>
        node.At(path) is JsonValue value && value.TryGetValue(out bool flag) ? flag : null;

    public static long? Number(this JsonNode? node, params string[] path) =>
        node.At(path) is JsonValue value && value.GetValueKind() == JsonValueKind.Number
            && long.TryParse(value.ToJsonString(), out long number) ? number : null;

    /// <summary>The objects of the array at a path.</summary>
    public static IReadOnlyList<JsonObject> Items(this JsonNode? node, params string[] path) =>
        node.At(path) is JsonArray array ? array.OfType<JsonObject>().ToList() : [];

    /// <summary>The strings of the array at a path.</summary>
    public static IReadOnlyList<string> Texts(this JsonNode? node, params string[] path) =>
        node.At(path) is JsonArray array
            ? array.Select(item => item.Text()).OfType<string>().ToList()
            : [];

    /// <summary>The object at a path, made where it is missing.</summary>
    public static JsonObject Ensure(this JsonObject node, params string[] path)
    {
        foreach (string name in path)
        {
            if (node[name] is not JsonObject next)
            {
                next = [];
                node[name] = next;
            }

            node = next;
        }

        return node;
    }

    public static string NameOf(this JsonNode? node) => node.Text("metadata", "name") ?? "";

    public static string NamespaceOf(this JsonNode? node) => node.Text("metadata", "namespace") ?? "";

    public static string UidOf(this JsonNode? node) => node.Text("metadata", "uid") ?? "";

    public static JsonObject Copy(this JsonObject node) => (JsonObject)node.DeepClone();

    /// <summary>The JSON as Go writes it: nothing is escaped that need not be.</summary>
    public static byte[] ToBytes(this JsonNode node) => JsonSerializer.SerializeToUtf8Bytes(node, s_options);

    public static JsonArray ToArray(IEnumerable<string> texts) =>
        new([.. texts.Select(text => (JsonNode?)JsonValue.Create(text))]);
}
