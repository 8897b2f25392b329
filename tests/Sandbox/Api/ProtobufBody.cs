using System;
using System.Collections.Generic;
using System.Text;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>
/// Reads the few objects that kubectl sends as Protocol Buffers: its typed clients do, for access reviews and
/// namespaces. Field numbers are those of the API's generated.proto.
/// </summary>
internal static class ProtobufBody
{
    public const string ContentType = "application/vnd.kubernetes.protobuf";

    private const string Text = "text";
    private const string Map = "map";

    private static readonly byte[] s_magic = [(byte)'k', (byte)'8', (byte)'s', 0];

    private static readonly Dictionary<string, string> s_fields = new(StringComparer.Ordinal)
    {
        ["Unknown/1"] = "typeMeta:TypeMeta", ["TypeMeta/1"] = "apiVersion:text", ["TypeMeta/2"] = "kind:text",
        ["SelfSubjectAccessReview/2"] = "spec:AccessSpec",
        ["AccessSpec/1"] = "resourceAttributes:ResourceAttributes", ["AccessSpec/2"] = "nonResourceAttributes:Path",
        ["ResourceAttributes/1"] = "namespace:text", ["ResourceAttributes/2"] = "verb:text",
        ["ResourceAttributes/3"] = "group:text", ["ResourceAttributes/4"] = "version:text",
        ["ResourceAttributes/5"] = "resource:text", ["ResourceAttributes/6"] = "subresource:text",
        ["ResourceAttributes/7"] = "name:text", ["Path/1"] = "path:text", ["Path/2"] = "verb:text",
        ["Namespace/1"] = "metadata:ObjectMeta", ["ObjectMeta/1"] = "name:text", ["ObjectMeta/11"] = "labels:map",
    };

    /// <summary>The object as JSON; 415 for one this reader does not know.</summary>
    public static JsonObject Decode(ReadOnlyMemory<byte> body)
    {
        if (!body.Span.StartsWith(s_magic))
        {
            throw Unknown();
        }

        ReadOnlyMemory<byte> envelope = body[s_magic.Length..];
        JsonObject head = Read(envelope, "Unknown");
        string kind = head.Text("typeMeta", "kind") ?? "";
        if (kind is not ("SelfSubjectAccessReview" or "SelfSubjectReview" or "Namespace"))
        {
            throw Unknown();
        }

        JsonObject value = Read(Field(envelope, 2), kind);
        value["apiVersion"] = head.Text("typeMeta", "apiVersion");
        value["kind"] = kind;
        return value;
    }

    private static JsonObject Read(ReadOnlyMemory<byte> message, string type)
    {
        JsonObject result = [];
        while (Next(ref message, out int number, out ReadOnlyMemory<byte> value))
        {
            if (!s_fields.TryGetValue($"{type}/{number}", out string? field))
            {
                continue;
            }

            string[] parts = field.Split(':');
            if (parts[1] == Map)
            {
                string key = Encoding.UTF8.GetString(Field(value, 1).Span);
                result.Ensure(parts[0])[key] = Encoding.UTF8.GetString(Field(value, 2).Span);
            }
            else
            {
                result[parts[0]] = parts[1] == Text ? Encoding.UTF8.GetString(value.Span) : Read(value, parts[1]);
            }
        }

        return result;
    }

    private static ReadOnlyMemory<byte> Field(ReadOnlyMemory<byte> message, int wanted)
    {
        while (Next(ref message, out int number, out ReadOnlyMemory<byte> value))
        {
            if (number == wanted)
            {
                return value;
            }
        }

        return default;
    }

    /// <summary>Takes one field off the front. Numbers are passed over: none of these objects needs one.</summary>
    private static bool Next(ref ReadOnlyMemory<byte> message, out int number, out ReadOnlyMemory<byte> value)
    {
        value = default;
        number = 0;
        if (message.IsEmpty)
        {
            return false;
        }

        ulong key = Number(ref message);
        number = (int)(key >> 3);
        int length = (key & 7) switch
        {
            0 => Skip(ref message),
            1 => sizeof(ulong),
            2 => Length(ref message),
            5 => sizeof(uint),
            _ => throw Unknown(),
        };
        if (length > message.Length)
        {
            throw Unknown();
        }

        value = message[..length];
        message = message[length..];
        return true;
    }

    private static int Skip(ref ReadOnlyMemory<byte> message)
    {
        Number(ref message);
        return 0;
    }

    private static int Length(ref ReadOnlyMemory<byte> message) =>
        Number(ref message) is ulong length and <= int.MaxValue ? (int)length : throw Unknown();

    private static ulong Number(ref ReadOnlyMemory<byte> message)
    {
        ulong result = 0;
        for (int shift = 0; shift < 64 && !message.IsEmpty; shift += 7)
        {
            byte part = message.Span[0];
            message = message[1..];
            result |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
            {
                return result;
            }
        }

        throw Unknown();
    }

    private static ApiException Unknown() => new(415, "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json");
}
