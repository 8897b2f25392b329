using System;
using System.Buffers.Text;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Text;
using PyDebug.Internal;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// What the parts of a named script's output mean. An event's line is numbers with spaces between them, the thread's
/// name padded to sixteen, and the rest, which may be any text.
/// </summary>
internal sealed class BpftraceLayout
{
    private const int ThreadWidth = 16;

    private const string Thread = "Thread";

    private IReadOnlyList<string> _numbers = [];

    private string? _text;

    private Dictionary<string, IReadOnlyList<string>> _keys = [];

    /// <summary>The columns of events, or else of keys, in their order.</summary>
    public IReadOnlyList<string> Columns
        => _text is null ? [.. _keys.Values.SelectMany(k => k).Distinct()] : [.. _numbers, Thread, _text];

    /// <summary>The maps that have a meaning.</summary>
    public IReadOnlyList<string> Maps => [.. _keys.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Reads the lines at a script's head: <c>// event: ...</c> and <c>// keys @map: ...</c>.</summary>
    public static BpftraceLayout Parse(string script)
    {
        BpftraceLayout layout = new();
        foreach (string line in script.Split('\n').TakeWhile(l => l.StartsWith("//", StringComparison.Ordinal)))
        {
            string[] words = line[2..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words[0] == "event:")
            {
                layout._numbers = words[1..^2];
                layout._text = words[^1];
            }
            else if (words[0] == "keys")
            {
                layout._keys[words[1].TrimEnd(':')] = words[2..];
            }
        }

        return layout;
    }

    /// <summary>An event with the parts of its line as properties; as it was where the line has other parts.</summary>
    /// <param name="record">The event.</param>
    /// <param name="raw">Its text as it was printed, in UTF-8, without the line end.</param>
    public object Event(BpftraceEvent record, byte[] raw)
    {
        if (_text is null)
        {
            return record;
        }

        long[] numbers = new long[_numbers.Count];
        ReadOnlySpan<byte> rest = raw;
        for (int i = 0; i < numbers.Length; i++)
        {
            int end = rest.IndexOf((byte)' ');
            if (end < 0 || !Utf8Parser.TryParse(rest[..end], out numbers[i], out int read) || read != end)
            {
                return record;
            }

            rest = rest[(end + 1)..];
        }

        if (rest.Length < ThreadWidth)
        {
            return record;
        }

        // The program pads the thread's name to a number of bytes.
        string thread = SafeText.Line(Encoding.UTF8.GetString(rest[..ThreadWidth]).TrimEnd());
        string text = SafeText.Line(Encoding.UTF8.GetString(rest[ThreadWidth..]), Json.TextLength);
        List<(string Name, object? Value)> values = [];
        for (int i = 0; i < numbers.Length; i++)
        {
            values.Add((_numbers[i], Value(_numbers[i], numbers[i])));
        }

        int? Number(string name) => values.Find(v => v.Name == name).Value is long number ? (int)number : null;

        PSObject item = new(record with
        {
            ProcessId = Number("ProcessId"),
            ThreadId = Number("ThreadId"),
            Thread = thread,
            Text = Sentence(text, values),
        });
        foreach ((string name, object? value) in values.Where(v => v.Name is not ("ProcessId" or "ThreadId")))
        {
            item.Properties.Add(new PSNoteProperty(name, value));
        }

        if (_text != "Text")
        {
            item.Properties.Add(new PSNoteProperty(_text, text));
        }

        return item;
    }

    /// <summary>A map's entry with the parts of its key as properties.</summary>
    /// <param name="row">The entry.</param>
    /// <param name="machine">The node's machine, whose system calls have their numbers.</param>
    public object Entry(BpftraceMap row, string machine)
    {
        if (!_keys.TryGetValue(row.Map, out IReadOnlyList<string>? names) || names.Count != row.Keys.Count)
        {
            return row;
        }

        if (names[0] == "Call" && row.Keys[0] is long call)
        {
            row = row with { Keys = [SystemCalls.Name(machine, call)] };
        }

        PSObject item = new(row);
        for (int i = 0; i < names.Count; i++)
        {
            item.Properties.Add(new PSNoteProperty(names[i], row.Keys[i]));
        }

        return item;
    }

    /// <summary>
    /// What a number means by its column's name: times come in microseconds, errors as calls give them.
    /// </summary>
    private static object? Value(string column, long number) => column switch
    {
        "Milliseconds" => number / 1000.0,
        "Error" => number < 0 ? ErrorNames.Of(-number) : null,
        "Failed" => number != 0,
        "Found" => number != 0,
        "Bytes" or "ExitCode" => number < 0 ? null : number,
        "Signal" => number == 0 ? null : number,
        _ => number,
    };

    private static string Sentence(string text, List<(string Name, object? Value)> values)
    {
        List<string> parts = [text];
        foreach ((string name, object? value) in values)
        {
            string? part = (name, value) switch
            {
                (_, null) or ("ProcessId" or "ThreadId" or "Found" or "Bytes", _) => null,
                ("Milliseconds", double time) => string.Create(CultureInfo.InvariantCulture, $"{time:0.0} ms"),
                ("Error", string error) => error,
                ("Failed", bool failed) => failed ? "failed" : null,
                _ => $"{name} {value}",
            };
            if (part is not null)
            {
                parts.Add(part);
            }
        }

        return string.Join("  ", parts);
    }
}
