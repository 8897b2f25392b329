using System;
using System.Collections;
using System.Management.Automation;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PyDebug.Commands;

/// <summary>Makes JSON of what a script hands over: hashtables, lists, objects as of ConvertFrom-Json.</summary>
/// <param name="deepest">How deep an object may lie.</param>
/// <param name="tooDeep">What stands for an object that lies deeper.</param>
/// <param name="other">What stands for an object that JSON has nothing for.</param>
internal sealed class ObjectJson(int deepest, Func<JsonNode?> tooDeep, Func<object, JsonNode?> other)
{
    /// <summary>The object as JSON.</summary>
    public JsonNode? Of(object? value) => Of(value, 0);

    private JsonNode? Of(object? value, int depth)
    {
        if (value is null)
        {
            return null;
        }

        if (depth > deepest)
        {
            return tooDeep();
        }

        object plain = value is PSObject wrapped ? wrapped.BaseObject : value;
        switch (plain)
        {
            case string or char or Enum:
                return plain.ToString();
            case bool flag:
                return flag;
            case SwitchParameter flag:
                return flag.IsPresent;
            case DateTime time:
                // ConvertFrom-Json makes a time of what looks like one.
                return $"{time.ToUniversalTime():yyyy-MM-ddTHH:mm:ssZ}";
            case byte or sbyte or short or ushort or int or uint or long or ulong or float or double or decimal
                or BigInteger:
                return JsonSerializer.SerializeToNode(plain, plain.GetType());
            case IDictionary table:
                JsonObject fields = [];
                foreach (DictionaryEntry entry in table)
                {
                    fields[entry.Key.ToString() ?? ""] = Of(entry.Value, depth + 1);
                }

                return fields;
            case IEnumerable list:
                JsonArray items = [];
                foreach (object? item in list)
                {
                    items.Add(Of(item, depth + 1));
                }

                return items;
            case PSCustomObject:
                JsonObject properties = [];
                foreach (PSPropertyInfo property in PSObject.AsPSObject(value).Properties)
                {
                    properties[property.Name] = Of(property.Value, depth + 1);
                }

                return properties;
            default:
                return other(plain);
        }
    }
}
