using System;
using System.Collections.Generic;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Files that an agent sends one behind the other and keeps for a while where the connection is cut, and what came of
/// them.
/// </summary>
internal sealed class HeldFiles
{
    /// <summary>The most that a request names.</summary>
    private const int MostProcesses = 4096;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    private string? _name;

    private string? _word;

    private long _files;

    /// <summary>Which of them comes now.</summary>
    private long _at;

    /// <summary>Whether that came which is said before its bytes.</summary>
    private bool _isTold;

    /// <summary>How many of its bytes came.</summary>
    private long _offset;

    /// <summary>How much came of all of them; it grows with whatever comes.</summary>
    public long Moved { get; private set; }

    /// <summary>Whether nothing comes behind them.</summary>
    public bool IsLast { get; private set; }

    /// <summary>Whether all of them came.</summary>
    public bool IsWhole => _at >= _files;

    /// <summary>The processes whose files come behind these, where they may be asked for anew.</summary>
    public IReadOnlyList<int> Rest { get; private set; } = [];

    /// <summary>Whether a cut takes nothing away that cannot be had again.</summary>
    public bool OutlivesCut => IsLast || !IsWhole || Rest.Count > 0;

    /// <summary>What the agent says of them; another agent that goes on with them keeps them anew.</summary>
    /// <param name="item">What it says.</param>
    /// <param name="before">Those that came in part, where there are some.</param>
    public static HeldFiles Next(JsonElement item, HeldFiles? before)
    {
        HeldFiles held = before is null || before.IsWhole ? new() { Moved = before?.Moved ?? 0 } : before;
        long at = item.Long("at") ?? 0;
        if (at > held._at)
        {
            // Why one ends before its end was said.
            held.Begin(at);
        }

        if (at != held._at || item.Long("offset") != held._offset)
        {
            throw new LimitExceededException("The debug container goes on elsewhere in a file than where it was cut.");
        }

        held._files = item.Long("files") ?? 0;
        held._name = item.Text("name");
        held._word = item.Text("word");
        held.IsLast = item.Flag("last") == true;
        held.Rest = [.. item.Items("rest", MostProcesses).Select(Json.Integer).OfType<int>()];
        return held;
    }

    /// <summary>Notes bytes that came.</summary>
    public void Add(ReadOnlyMemory<byte> chunk)
    {
        _hash.AppendData(chunk.Span);
        _offset += chunk.Length;
        Moved += chunk.Length;
    }

    /// <summary>Notes a result that came.</summary>
    public void Add(string? kind)
    {
        Moved++;
        if (IsWhole)
        {
            // What comes now is not kept.
            Rest = [];
        }

        _isTold = true;
        if (kind == "fileEnd")
        {
            Begin(_at + 1);
        }
    }

    /// <summary>Asks for the rest.</summary>
    public JsonObject Question() => new()
    {
        ["name"] = _name,
        ["word"] = _word,
        ["at"] = _at,
        ["told"] = _isTold,
        ["offset"] = _offset,
        ["sha256"] = Convert.ToHexString(_hash.GetCurrentHash()).ToLowerInvariant(),
    };

    private void Begin(long at)
    {
        _at = at;
        _isTold = false;
        _offset = 0;
        _hash.TryGetHashAndReset(stackalloc byte[SHA256.HashSizeInBytes], out _);
    }
}
