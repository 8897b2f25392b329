using System.Management.Automation;
using System.Text.Json;
using System.Text.Json.Nodes;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>Reads the partial container that <c>-Custom</c> takes: a hashtable, an object or JSON.</summary>
internal static class CustomContainer
{
    private const int Deepest = 32;

    private static readonly ObjectJson s_json = new(
        Deepest,
        () => throw ErrorFactory.Local(LocalCause.CustomInvalid, "-Custom is nested too deeply."),
        value => throw ErrorFactory.Local(
            LocalCause.CustomInvalid,
            $"-Custom holds a {value.GetType().Name}, which has no place in a container."));

    /// <summary>The partial container as JSON.</summary>
    /// <exception cref="PyDebugException">It is not an object.</exception>
    public static string ToJson(object custom)
    {
        object plain = custom is PSObject wrapped ? wrapped.BaseObject : custom;
        JsonNode? node = plain is string text ? Parse(text) : s_json.Of(custom);
        return node is JsonObject
            ? node.ToJsonString()
            : throw ErrorFactory.Local(LocalCause.CustomInvalid, "-Custom is not an object with a container's fields.");
    }

    private static JsonNode? Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { MaxDepth = Deepest });
        }
        catch (JsonException e)
        {
            throw ErrorFactory.Local(LocalCause.CustomInvalid, $"-Custom is not JSON: {e.Message}");
        }
    }
}
