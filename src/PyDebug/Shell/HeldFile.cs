using System;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// A file that an agent sends and keeps for a while where the connection is cut, and what came of it.
/// </summary>
internal sealed class HeldFile
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    private JsonObject _place = [];

    /// <summary>How many of its bytes came.</summary>
    public long Count { get; private set; }

    /// <summary>Whether nothing comes behind it.</summary>
    public bool IsLast { get; private set; }

    /// <summary>What the agent says of it; another agent that goes on with it keeps it anew.</summary>
    /// <param name="item">What it says.</param>
    /// <param name="before">The file that came in part, where there is one.</param>
    public static HeldFile Next(JsonElement item, HeldFile? before)
    {
        long offset = item.Long("offset") ?? 0;
        if (offset != (before?.Count ?? 0))
        {
            throw new LimitExceededException("The debug container goes on elsewhere in a file than where it was cut.");
        }

        HeldFile held = before ?? new HeldFile();
        held.IsLast = item.Flag("last") == true;
        held._place = new JsonObject
        {
            ["name"] = item.Text("name"),
            ["word"] = item.Text("word"),
            ["size"] = item.Long("size"),
            ["about"] = About(item),
        };
        return held;
    }

    /// <summary>Notes what came.</summary>
    public void Add(ReadOnlyMemory<byte> chunk)
    {
        _hash.AppendData(chunk.Span);
        Count += chunk.Length;
    }

    /// <summary>Asks for the rest.</summary>
    public JsonObject Question()
    {
        JsonObject question = _place.DeepClone().AsObject();
        question["offset"] = Count;
        question["sha256"] = Convert.ToHexString(_hash.GetCurrentHash()).ToLowerInvariant();
        return question;
    }

    private static JsonObject About(JsonElement item)
        => item.Part("about").Integer("pid") is int pid ? new() { ["pid"] = pid } : [];
}
