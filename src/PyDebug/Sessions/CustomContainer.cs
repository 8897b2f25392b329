using System;
using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Text.Json;
using System.Text.Json.Nodes;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>Reads the partial container that <c>-Custom</c> takes: a hashtable, an object or JSON.</summary>
internal static class CustomContainer
{
    private const int Deepest = 32;

    /// <summary>The partial container as JSON.</summary>
    /// <exception cref="PyDebugException">It is not an object.</exception>
    public static string ToJson(object custom)
    {
        object plain = Unwrap(custom);
        JsonNode? node = plain is string text ? Parse(text) : Build(custom, 0);
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

    private static JsonNode? Build(object? value, int depth)
    {
        if (depth > Deepest)
        {
            throw ErrorFactory.Local(LocalCause.CustomInvalid, "-Custom is nested too deeply.");
        }

        object? plain = value is null ? null : Unwrap(value);
        switch (plain)
        {
            case null:
                return null;
            case string or char or Enum:
                return plain.ToString();
            case bool flag:
                return flag;
            case SwitchParameter flag:
                return flag.IsPresent;
            case double or float or decimal:
                return JsonValue.Create(Convert.ToDecimal(plain, CultureInfo.InvariantCulture));
            case byte or sbyte or short or ushort or int or uint or long:
                return Convert.ToInt64(plain, CultureInfo.InvariantCulture);
            case IDictionary dictionary:
                JsonObject fields = [];
                foreach (DictionaryEntry entry in dictionary)
                {
                    fields[entry.Key.ToString() ?? ""] = Build(entry.Value, depth + 1);
                }

                return fields;
            case IEnumerable list:
                JsonArray items = [];
                foreach (object? item in list)
                {
                    items.Add(Build(item, depth + 1));
                }

                return items;
            case PSCustomObject:
                JsonObject properties = [];
                foreach (PSPropertyInfo property in PSObject.AsPSObject(value).Properties)
                {
                    properties[property.Name] = Build(property.Value, depth + 1);
                }

                return properties;
            default:
                throw ErrorFactory.Local(
                    LocalCause.CustomInvalid,
                    $"-Custom holds a {plain.GetType().Name}, which has no place in a container.");
        }
    }

    private static object Unwrap(object value) => value is PSObject wrapped ? wrapped.BaseObject : value;
}
