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

    /// <summary>The variables that are ours alone to set.</summary>
    public static readonly string[] Variables = [Variable, KeeperProgram.Variable];

    private const long MaxEpoch = 100_000_000_000;

    public required string Target { get; init; }

    public required string Profile { get; init; }

    public required DateTime Created { get; init; }

    public required string Spec { get; init; }

    /// <summary>Seconds without use after which the container ends; null for the usual time.</summary>
    public long? Idle { get; init; }

    /// <summary>Seconds after which it ends in any case; null for the usual time.</summary>
    public long? Life { get; init; }

    /// <summary>The name by which the server knew who asked for it.</summary>
    public string? User { get; init; }

    /// <summary>What it was wanted for, in the words of who asked.</summary>
    public string? Reason { get; init; }

    /// <summary>The pod's memory limit in bytes, 0 for none: the agent cannot see it everywhere.</summary>
    public long Limit { get; init; }

    /// <summary>
    /// The largest that a process of the pod's other containers can be, in bytes; 0 where that is not known.
    /// </summary>
    public long Beside { get; init; }

    /// <summary>1 where it is to run whatever is left of the limit.</summary>
    public long? Low { get; init; }

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
            Idle = KubeJson.Integer(mark, "idle"),
            Life = KubeJson.Integer(mark, "life"),
            User = KubeJson.Text(mark, "user"),
            Reason = KubeJson.Text(mark, "reason"),
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
            ["limit"] = Limit,
            ["beside"] = Beside,
        };
        Add("low", Low);
        Add("idle", Idle);
        Add("life", Life);
        Add("user", User);
        Add("reason", Reason);

        return mark.ToJsonString();

        void Add(string name, JsonNode? value)
        {
            if (value is not null)
            {
                mark[name] = value;
            }
        }
    }
}
