using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using PyDebug.Internal;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// Reads what <c>bpftrace -f json</c> prints, line by line: versions 0.17 to 0.27. What is lost and what went wrong on
/// the way is counted.
/// </summary>
internal sealed class BpftraceOutput(
    PodDebugSession session,
    IReadOnlyDictionary<string, IReadOnlyList<string>> keys,
    int mostKeys = int.MaxValue,
    BpftraceLayout? layout = null,
    IReadOnlyDictionary<string, string>? functions = null)
{
    private const int MostPieces = 10_000;

    private const int MostErrors = 64;

    private const int NoSuchKey = -2;

    private const int MapFull = -7;

    private const int KeyExists = -17;

    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 16 };

    private readonly Dictionary<(string Text, int Line, int Column), long> _helperErrors = [];

    private readonly SortedDictionary<string, int> _fullMaps = new(StringComparer.Ordinal);

    private readonly BpftraceHexCounts _hexCounts = new();

    /// <summary>The node's machine, whose system calls have numbers of their own.</summary>
    public string Machine { get; set; } = "";

    /// <summary>bpftrace's version, whose output has its own ways.</summary>
    public BpftraceVersion Version { get; set; } = new(null);

    /// <summary>Whether maps came whose keys are texts.</summary>
    public bool HasTextKeys { get; private set; }

    /// <summary>The Python stacks that numbers in the output stand for.</summary>
    public BpftraceStacks Stacks { get; } = new();

    /// <summary>What the program has cost so far.</summary>
    public IReadOnlyList<BpftraceCost> Cost { get; set; } = [];

    /// <summary>How many events the kernel could not hand over.</summary>
    public long LostEvents { get; private set; }

    /// <summary>How many lines were not what bpftrace should print.</summary>
    public long UnreadLines { get; private set; }

    /// <summary>How many probes were attached; null before that is said.</summary>
    public int? Probes { get; private set; }

    /// <summary>How many frames of native stacks were printed.</summary>
    public long NativeFrames { get; private set; }

    /// <summary>How many of them are addresses, for which no name was found.</summary>
    public long NamelessFrames { get; private set; }

    /// <summary>How many native stacks end where the walk lost its way.</summary>
    public long LostStacks { get; private set; }

    /// <summary>What helpers failed, where in the program as it runs, and how often.</summary>
    public IEnumerable<(string Text, int Line, int Column, long Times)> HelperErrors
        => _helperErrors.Select(e => (e.Key.Text, e.Key.Line, e.Key.Column, e.Value));

    /// <summary>The maps that came with as many keys as a map can hold.</summary>
    public IReadOnlyDictionary<string, int> FullMaps => _fullMaps;

    /// <summary>The records of one line.</summary>
    public IReadOnlyList<object> Read(string line, DateTime now)
    {
        if (string.IsNullOrWhiteSpace(line))
        {
            return [];
        }

        try
        {
            line = Version.StaysInHex ? _hexCounts.Repair(line) : line;
            using JsonDocument document = JsonDocument.Parse(line, s_options);
            if (document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.Text("type") is string type
                && Read(type, document.RootElement, now) is IReadOnlyList<object> records)
            {
                return records;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Some versions print texts without quotes, and a text that was cut is no JSON either.
        }

        UnreadLines++;
        return [Event("Unread", SafeText.Line(line, Json.TextLength), now)];
    }

    private IReadOnlyList<object>? Read(string type, JsonElement root, DateTime now)
    {
        root.TryGetProperty("data", out JsonElement data);
        switch (type)
        {
            case "attached_probes":
                Probes = data.Integer("probes") ?? root.Integer("count");
                return [];
            case "lost_events":
                long lost = data.Long("events") ?? root.Long("count") ?? 0;
                LostEvents = Counts.Add(LostEvents, Math.Max(0, lost));
                return [];
            case "helper_error" or "runtime_error":
                NoteHelperError(root);
                return [];
            case "map" or "hist" or "stats" or "tseries":
                return data.ValueKind == JsonValueKind.Object ? Maps(data, now) : null;
            case "value":
                return data.ValueKind == JsonValueKind.Undefined ? null : [Event("Value", Plain(data), now)];
            case "warnf" or "errorf":
                return Text(root, "msg") is string said
                    ? [Event(type == "warnf" ? "Warning" : "Error", Line(said), now)]
                    : null;
            default:
                return data.ValueKind == JsonValueKind.String ? [Printed(type, data.GetString()!, now)] : null;
        }
    }

    private static string? Text(JsonElement item, string name)
        => item.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    private static string Line(string text)
        => SafeText.Line(BpftraceEscapes.Text(text.EndsWith('\n') ? text[..^1] : text), Json.TextLength);

    /// <summary>A line end within is no end of the event: it may come from a name that the target chose.</summary>
    private object Printed(string type, string text, DateTime now)
    {
        string kind = type switch
        {
            "printf" => "Print",
            "time" => "Time",
            _ => "Text",
        };
        BpftraceEvent printed = Event(kind, Line(text), now);
        return layout is null || kind != "Print" ? printed
            : layout.Event(printed, BpftraceEscapes.Bytes(text.TrimEnd('\n')));
    }

    private BpftraceEvent Event(string kind, string text, DateTime now) => new()
    {
        Namespace = session.Namespace,
        PodName = session.PodName,
        ContainerName = session.ContainerName,
        NodeName = session.NodeName,
        DebugContainer = session.DebugContainer,
        PodUid = session.PodUid,
        Timestamp = now,
        Kind = kind,
        Text = text,
        Session = session,
    };

    private List<object> Maps(JsonElement data, DateTime now)
    {
        List<object> rows = [];
        foreach (JsonProperty map in data.EnumerateObject())
        {
            string name = SafeText.Line(map.Name, 256);
            if (map.Value.ValueKind != JsonValueKind.Object || IsStats(map.Value))
            {
                rows.Add(Row(name, [], [], map.Value, now));
                continue;
            }

            IReadOnlyList<string>? expressions = keys.GetValueOrDefault(map.Name);
            List<BpftraceMap> own = [];
            foreach (JsonProperty entry in map.Value.EnumerateObject())
            {
                (IReadOnlyList<object> parts, IReadOnlyList<StackFrame> frames, int? process) =
                    BpftraceKey.Parse(BpftraceEscapes.Key(entry.Name, Version.EscapesKeysTwice), expressions, Stacks);
                HasTextKeys |= frames.Count == 0 && parts.Any(p => p is string);
                own.Add(Row(name, parts, frames, entry.Value, now) with { ProcessId = process });
            }

            if (own.Count >= mostKeys && (_fullMaps.Count < MostErrors || _fullMaps.ContainsKey(name)))
            {
                _fullMaps[name] = own.Count;
            }

            bool stacks = expressions?.Contains(BpftraceRewriter.PythonStack) == true;
            IEnumerable<BpftraceMap> entries =
                stacks ? BpftraceRows.Merge(own, functions?.GetValueOrDefault(map.Name)) : own;
            rows.AddRange(entries.Select(r => layout?.Entry(r, Machine) ?? r));
        }

        return rows;
    }

    private static bool IsStats(JsonElement value)
        => value.EnumerateObject().Count() == 3
            && BpftraceNumber.Long(value, "count") is not null
            && BpftraceNumber.Double(value, "average") is not null
            && BpftraceNumber.Double(value, "total") is not null;

    private BpftraceMap Row(
        string name,
        IReadOnlyList<object> parts,
        IReadOnlyList<StackFrame> frames,
        JsonElement value,
        DateTime now)
    {
        BpftraceMap row = new()
        {
            Namespace = session.Namespace,
            PodName = session.PodName,
            ContainerName = session.ContainerName,
            NodeName = session.NodeName,
            Timestamp = now,
            Map = name,
            Function = functions?.GetValueOrDefault(name),
            Keys = parts,
            Cost = Cost,
            Frames = frames,
        };
        if (value.ValueKind == JsonValueKind.Object && IsStats(value))
        {
            long? count = BpftraceNumber.Long(value, "count");
            return row with
            {
                Kind = "Stats",
                Value = count,
                Count = count,
                Average = BpftraceNumber.Double(value, "average"),
                Total = BpftraceNumber.Double(value, "total"),
            };
        }

        if (IsListOf(value, "count"))
        {
            IReadOnlyList<BpftraceBucket> buckets = [.. value.EnumerateArray().Take(MostPieces).Select(Bucket)];
            long count = Counts.Sum(buckets.Select(b => b.Count));
            return row with { Kind = "Histogram", Value = count, Count = count, Buckets = buckets };
        }

        if (IsListOf(value, "interval_start"))
        {
            IReadOnlyList<BpftracePoint> points = [.. value.EnumerateArray().Take(MostPieces).Select(Point)];
            return row with { Kind = "TimeSeries", Value = points[^1].Value, Points = points };
        }

        string? text = value.ValueKind == JsonValueKind.String ? BpftraceEscapes.Text(value.GetString()!) : null;
        row = row with
        {
            Value = Object(value),
            Frames = frames.Count == 0 && text?.StartsWith('\n') == true ? NativeStack.Read(text) : frames,
        };
        if (row.ProcessId is null)
        {
            NoteNative(row.Frames);
        }

        return row;
    }

    private void NoteNative(IReadOnlyList<StackFrame> frames)
    {
        NativeFrames += frames.Count;
        NamelessFrames += frames.Count(NativeStack.IsNameless);
        LostStacks += frames.Count > 0 && frames[^1].Name == NativeStack.Lost ? 1 : 0;
    }

    private static bool IsListOf(JsonElement value, string property)
        => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0
            && value.EnumerateArray().All(
                i => i.ValueKind == JsonValueKind.Object && i.TryGetProperty(property, out _));

    private static BpftraceBucket Bucket(JsonElement bucket) => new()
    {
        Minimum = BpftraceNumber.Long(bucket, "min"),
        Maximum = BpftraceNumber.Long(bucket, "max"),
        Count = BpftraceNumber.Long(bucket, "count") ?? 0,
    };

    private static BpftracePoint Point(JsonElement point) => new()
    {
        Start = Text(point, "interval_start") is string start ? Line(start) : "",
        Value = point.TryGetProperty("value", out JsonElement value) ? Object(value) : null,
    };

    private static object? Object(JsonElement value) => BpftraceNumber.Of(value) ?? value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.String => SafeText.Line(BpftraceEscapes.Text(value.GetString()!), Json.TextLength),
        JsonValueKind.Array => value.EnumerateArray().Take(MostPieces).Select(Object).ToArray(),
        JsonValueKind.Null => null,
        _ => SafeText.Line(value.GetRawText(), Json.TextLength),
    };

    private static string Plain(JsonElement value) => Object(value) switch
    {
        object?[] parts => string.Join(", ", parts.Select(p => Convert.ToString(p, CultureInfo.InvariantCulture))),
        object part => Convert.ToString(part, CultureInfo.InvariantCulture) ?? "",
        null => "",
    };

    private void NoteHelperError(JsonElement error)
    {
        // Version 0.17 has the fields in an object of their own.
        JsonElement facts = error.TryGetProperty("data", out JsonElement data) && data.ValueKind == JsonValueKind.Object
            ? data
            : error;
        string helper = facts.Text("helper") ?? "a helper";
        if ((helper == "map_delete_elem" && facts.Integer("retcode") == NoSuchKey) || helper == "map_lookup_elem")
        {
            // What was to be deleted is gone already, as where two threads share a key; and programs ask for keys that
            // are not there all the time. No harm is done.
            return;
        }

        string text = (helper, facts.Integer("retcode")) switch
        {
            ("map_update_elem", MapFull) => "a map was full and took no more keys",
            // Counts and sums begin with a key that must not be there; who comes second is turned away with his value.
            ("map_update_elem", KeyExists) =>
                "a value was not counted, since another processor added the same key at the same moment",
            _ when helper.StartsWith("probe_read", StringComparison.Ordinal) =>
                $"a read gave nothing ({helper}: {facts.Text("msg") ?? "failed"}), and 0 or an "
                    + "empty text was taken for it",
            _ => $"{helper}: {facts.Text("msg") ?? "failed"}",
        };
        (string, int, int) key = (text, facts.Integer("line") ?? 0, facts.Integer("col") ?? 0);
        if (_helperErrors.Count < MostErrors || _helperErrors.ContainsKey(key))
        {
            _helperErrors[key] = _helperErrors.GetValueOrDefault(key) + 1;
        }
    }
}
