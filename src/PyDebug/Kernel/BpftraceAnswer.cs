using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Errors;
using PyDebug.Internal;
using PyDebug.Tools.Bpftrace;

namespace PyDebug.Commands;

/// <summary>Takes the answer of one pod: how the program runs there, what it prints, and how it ended.</summary>
internal sealed class BpftraceAnswer(
    AgentRun run,
    BpftraceProgram program,
    long mostBytes,
    int mostKeys,
    bool raw,
    BpftraceLayout? layout)
{
    private readonly BpftraceOutput _output = new(run.Session, program.Keys, mostKeys, layout, program.Functions);

    private readonly BpftraceLines _lines = new();

    private long _bytes;

    private readonly IReadOnlyList<string> _points = [.. program.Probes.Select(p => p.Text)];

    private IReadOnlyDictionary<string, string> _words = new Dictionary<string, string>();

    /// <summary>Takes a result; false says that it could not be read.</summary>
    public async ValueTask<bool> OnResultAsync(JsonElement item, CancellationToken ct)
    {
        switch (item.Text("kind"))
        {
            case "bpftrace":
                _words = item.Facts("words");
                _output.Machine = item.Text("machine") ?? "";
                _output.Version = new BpftraceVersion(item.Text("version"));
                if (item.Flag("dry") == true)
                {
                    string whole = $"{program.Render(_words).TrimEnd()}\n{Attaches(item)}";
                    await run.Writer.WriteObjectAsync(whole, ct).ConfigureAwait(false);
                }
                else
                {
                    string text = $"bpftrace {item.Text("version")} runs: {program.Render(_words)}";
                    await run.Writer.WriteVerboseAsync(text, ct).ConfigureAwait(false);
                }

                return true;
            case "bpftraceCost":
                _output.Cost = BpftraceCosts.Parse(item, _points);
                return true;
            case "bpftraceFrames":
                return _output.Stacks.Add(item);
            case "bpftraceEnd":
                await WriteAsync(_lines.Rest(), ct).ConfigureAwait(false);
                await EndAsync(item, ct).ConfigureAwait(false);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Takes a part of what it prints.</summary>
    public async ValueTask OnFileAsync(ReadOnlyMemory<byte> chunk, CancellationToken ct)
    {
        _bytes += chunk.Length;
        if (_bytes > mostBytes)
        {
            throw new LimitExceededException(Invariant(
                $"The debug container sent more than the {mostBytes:#,0} bytes of output that -MaximumBytes allows."));
        }

        foreach (string line in _lines.Take(chunk))
        {
            await WriteAsync(line, ct).ConfigureAwait(false);
        }
    }

    private async Task WriteAsync(string line, CancellationToken ct)
    {
        if (string.IsNullOrWhiteSpace(line))
        {
            return;
        }

        IReadOnlyList<object> records = _output.Read(line, DateTime.UtcNow);
        if (raw)
        {
            await run.Writer.WriteObjectAsync(SafeText.Line(line, int.MaxValue), ct).ConfigureAwait(false);
        }
        else if (records.Count > 0)
        {
            await run.Writer.WriteAllAsync(records, ct).ConfigureAwait(false);
        }
    }

    private async Task EndAsync(JsonElement end, CancellationToken ct)
    {
        string all = end.RawText("messages") ?? "";
        IReadOnlyList<BpftraceMessage> messages = BpftraceMessages.Parse(all, Repeated(end));
        int exit = end.Integer("exit") ?? 0;
        bool attached = end.Flag("attached") == true;
        if ((exit != 0 && end.Flag("killed") != true) || !attached || messages.Any(m => m.IsError))
        {
            PyDebugException failure =
                BpftraceMessages.Failure(messages, all, exit, ToUser, run.Session.Target());
            await run.Writer.WriteErrorAsync(failure.ErrorRecord, ct).ConfigureAwait(false);
        }

        foreach (string warning in Warnings(end, messages))
        {
            await run.Writer.WriteWarningAsync($"{run.Session.Target()}: {warning}", ct).ConfigureAwait(false);
        }

        if (Cost(end) is string cost)
        {
            await run.Writer.WriteVerboseAsync($"{run.Session.Target()}: {cost}", ct).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// What would be attached, as a comment behind the program; a wildcard with the number of its probes.
    /// </summary>
    private static string Attaches(JsonElement item)
    {
        List<string> points = [];
        long all = 0;
        bool known = true;
        foreach (JsonElement point in item.Items("attaches", 1024))
        {
            string name = SafeText.Line(point.Text("point") ?? "");
            int? count = point.Integer("count");
            known &= count is not null;
            all += count ?? 0;
            points.Add(
                count == 1 ? name : Invariant($"{name} ({(count is int number ? $"{number:#,0}" : "not counted")})"));
        }

        string whole = known ? "" : "at least ";
        return Invariant($"// attaches {whole}{all:#,0} probe{(all == 1 ? "" : "s")}: {string.Join(", ", points)}");
    }

    private (int Line, int Column) ToUser(int line, int column) => program.ToUser(_words, line, column);

    private List<string> Warnings(JsonElement end, IReadOnlyList<BpftraceMessage> messages)
    {
        List<string> warnings = [];
        foreach (BpftraceMessage message in messages.Where(m => !m.IsError))
        {
            string times = message.Times > 1 ? Invariant($" ({message.Times:#,0} times)") : "";
            warnings.Add(BpftraceMessages.PlaceOf(message, ToUser) + message.Text + times);
        }

        if (end.Long("messagesDropped") is long dropped and > 0)
        {
            warnings.Add(Invariant($"bpftrace wrote {dropped:#,0} more bytes of messages, which were not kept."));
        }

        if (end.Text("ended") == "bytes")
        {
            warnings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"The program printed more than {mostBytes:#,0} bytes and was ended: what came later is missing, "
                + $"its maps as well. -MaximumBytes takes more."));
        }

        if (_lines.SkippedLines > 0)
        {
            warnings.Add(Counts.Of(_lines.SkippedLines, "line was", "lines were")
                + " too long to be read, and left out.");
        }

        if (end.Flag("killed") == true)
        {
            warnings.Add("bpftrace did not end when it was asked to, and was killed: what it had not printed is lost.");
        }

        if (_output.LostEvents > 0)
        {
            warnings.Add(Counts.Of(_output.LostEvents, "event", "events")
                + " came faster than could be read: lost. A predicate, or a map in place of printf, makes fewer.");
        }

        foreach ((string text, int line, int column, long times) in _output.HelperErrors)
        {
            string place = BpftraceMessages.PlaceOf(new BpftraceMessage(false, line, column, text), ToUser);
            bool full = text.StartsWith("a map was full", StringComparison.Ordinal);
            string advice = full ? Invariant($" (-MaximumKeys is {mostKeys:#,0})") : "";
            string map = full && MapAt(line, column) is string name
                ? Invariant($": {name} lacks {Counts.Of(times, "value of a further key", "values of further keys")}")
                : "";
            warnings.Add(Invariant($"{place}{text}{advice}, {times:#,0} time{(times == 1 ? "" : "s")}{map}."));
        }

        if (!_output.HelperErrors.Any())
        {
            warnings.AddRange(_output.FullMaps.Select(m => $"Map {m.Key} is full with "
                + $"{Counts.Of(m.Value, "key", "keys")}: what came later is missing. -MaximumKeys takes more."));
        }

        if (_output.HasTextKeys && _output.Version.LeavesSpacesOut)
        {
            warnings.Add($"bpftrace {_output.Version.Text} leaves the spaces out of keys: 'a b' comes as 'ab'.");
        }

        warnings.AddRange(NativeWarnings());
        warnings.AddRange(StackWarnings(end.Part("stacks"), mostKeys));

        if (_output.UnreadLines > 0)
        {
            warnings.Add(Counts.Of(_output.UnreadLines, "line was", "lines were")
                + " not what bpftrace should print, and written as it came (Kind Unread).");
        }

        return warnings;
    }

    /// <summary>
    /// The map that a helper failed for: the one at its place in the program, else the only full one.
    /// </summary>
    private string? MapAt(int line, int column)
        => line > 0 && program.MapAt(_words, line, column) is string map ? map
            : _output.FullMaps.Count == 1 ? _output.FullMaps.Keys.First()
            : null;

    private IEnumerable<string> NativeWarnings()
    {
        if (_output.NamelessFrames > 0)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{_output.NamelessFrames:#,0} of {_output.NativeFrames:#,0} frames of native stacks have no name, as "
                + $"their addresses have no symbol. 'pystack' names Python's own frames, and so does Measure-PyTime.");
        }

        if (_output.LostStacks > 0)
        {
            yield return Counts.Of(_output.LostStacks, "native stack is", "native stacks are")
                + $" cut where code keeps no frame pointer ('{NativeStack.Lost}').";
        }
    }

    private static Dictionary<string, long> Repeated(JsonElement end)
    {
        Dictionary<string, long> times = new(StringComparer.Ordinal);
        JsonElement lines = end.Part("messagesRepeated");
        if (lines.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty line in lines.EnumerateObject())
            {
                if (Json.Name(line) is string text)
                {
                    times[text] = Json.Whole(line.Value) ?? 1;
                }
            }
        }

        return times;
    }

    private static IEnumerable<string> StackWarnings(JsonElement stacks, int mostKeys)
    {
        if (stacks.Flag("full") == true)
        {
            yield return Invariant(
                $"There were more Python frames than the {mostKeys:#,0} of -MaximumKeys: some stacks are cut.");
        }

        if (stacks.Long("unresolved") is long unresolved and > 0)
        {
            yield return Counts.Of(unresolved, "Python frame has", "Python frames have")
                + " no name (<unresolved>): the code was gone, or another Python's.";
        }

        if (stacks.Long("cut") is long cut and > 0)
        {
            yield return Counts.Of(cut, "Python stack was", "Python stacks were")
                + " deeper than is read; '...' is in the outer frames' place.";
        }
    }

    private string? Cost(JsonElement end)
    {
        IReadOnlyList<BpftraceCost> costs = BpftraceCosts.Parse(end, _points);
        if (costs.Count == 0)
        {
            return null;
        }

        double seconds = costs.Sum(c => c.Seconds);
        long runs = costs.Sum(c => c.RunCount);
        int programs = costs.Sum(c => c.ProgramCount);
        double share = end.Number("seconds") is double time and > 0 ? 100 * seconds / time : 0;
        return $"{Counts.Of(programs, "program", "programs")} ran {Counts.Of(runs, "time", "times")}, "
            + Invariant($"{seconds * 1000:0.0} ms in all, {share:0.00} % of a CPU.");
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
