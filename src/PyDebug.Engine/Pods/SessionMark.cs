using System;
using System.Collections.Generic;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>The environment entry by which a debug container of ours is found again.</summary>
internal sealed class SessionMark
{
    public const string Variable = "PYDEBUG_SESSION";

    private const long MaxEpoch = 100_000_000_000;

    public required string Target { get; init; }

    public required string Profile { get; init; }

    public required DateTime Created { get; init; }

    public required string Spec { get; init; }

    /// <summary>Whether the profile was taken because admission refused the usual one.</summary>
    public bool Fallback { get; init; }

    /// <summary>The mark of an ephemeral container; null when it is not ours.</summary>
    public static SessionMark? Read(JsonObject container)
    {
        JsonObject? entry = KubeJson.Objects(container, "env")
            .FirstOrDefault(e => KubeJson.Text(e, "name") == Variable);
        string? text = KubeJson.Text(entry, "value");
        JsonObject? mark = text is null ? null : KubeJson.ParseObject(Encoding.UTF8.GetBytes(text));
        string? target = KubeJson.Text(mark, "target");
        string? profile = KubeJson.Text(mark, "profile");
        long? created = KubeJson.Integer(mark, "created");
        if (KubeJson.Integer(mark, "v") != 1 || target is null || profile is null
            || created is null or < 0 or > MaxEpoch)
        {
            return null;
        }

        return new()
        {
            Target = target,
            Profile = profile,
            Created = DateTime.UnixEpoch.AddSeconds(created.Value),
            Spec = KubeJson.Text(mark, "spec") ?? string.Empty,
            Fallback = KubeJson.Flag(mark, "fallback") ?? false,
        };
    }

    /// <summary>Eight hexadecimal digits over what the user added to the container.</summary>
    public static string SpecOf(string? customJson, IReadOnlyDictionary<string, string> environment)
    {
        StringBuilder text = new(customJson ?? string.Empty);
        foreach (KeyValuePair<string, string> entry in environment.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            text.Append('\0').Append(entry.Key).Append('=').Append(entry.Value);
        }

        return Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..8].ToLowerInvariant();
    }

    public override string ToString()
    {
        JsonObject mark = new()
        {
            ["v"] = 1,
            ["target"] = Target,
            ["profile"] = Profile,
            ["created"] = new DateTimeOffset(Created).ToUnixTimeSeconds(),
            ["spec"] = Spec,
        };
        if (Fallback)
        {
            mark["fallback"] = true;
        }

        return mark.ToJsonString();
    }
}
