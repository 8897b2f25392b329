using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.RegularExpressions;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Tools.Bpftrace;

/// <summary>Reads bpftrace's standard error: what is wrong with the program, and where the user wrote it.</summary>
internal static partial class BpftraceMessages
{
    private const int LongestLog = 1200;

    private const int Killed = 9;

    private static readonly string[] s_noise =
    [
        "RLIMIT_MEMLOCK", "Could not read functions from", "is deprecated. Use BPFTRACE", "Total lost event count",
        "attaching to it will likely fail", "Addrspace mismatch", "Addrspace is not set",
    ];

    private static readonly string[] s_unavailable =
    [
        "tracepoint not found", "No matches for", "not available for your", "Error attaching probe", "does not exist",
        "No probes to attach", "Unable to attach", "Could not resolve symbol", "Invalid probe type", "Unknown hardware",
        "No BTF found for", "could not be found", "Unknown software",
    ];

    private static readonly string[] s_rejected =
    [
        "Error loading BPF program", "Error loading program", "Loading BPF object(s) failed", "Failed to load",
        "Could not load", "BPF program is too large", "processed ", "failed to verify",
    ];

    /// <summary>
    /// The messages, each once, without noise and without the program's lines that bpftrace repeats below them.
    /// </summary>
    /// <param name="text">What it wrote.</param>
    /// <param name="times">How often each line came that came more than once.</param>
    public static IReadOnlyList<BpftraceMessage> Parse(string text, IReadOnlyDictionary<string, long>? times = null)
    {
        return
        [
            .. All(text, times)
                .GroupBy(m => m with { Times = 0 })
                .Select(g => g.Key with { Times = g.Aggregate(0L, (sum, m) => Counts.Add(sum, m.Times)) }),
        ];
    }

    private static List<BpftraceMessage> All(string text, IReadOnlyDictionary<string, long>? times)
    {
        List<BpftraceMessage> messages = [];
        bool open = false;
        foreach (string line in text.Split('\n'))
        {
            Match match = MessageLine().Match(line);
            if (match.Success)
            {
                open = !s_noise.Any(n => line.Contains(n, StringComparison.Ordinal));
                if (open)
                {
                    messages.Add(new BpftraceMessage(
                        match.Groups["level"].Value is "ERROR" or "FATAL",
                        Number(match.Groups["line"]),
                        Number(match.Groups["column"]),
                        match.Groups["text"].Value.Trim(),
                        Math.Max(1, times?.GetValueOrDefault(line) ?? 1)));
                }
            }
            else if (open && messages.Count > 0 && !string.IsNullOrWhiteSpace(line))
            {
                BpftraceMessage last = messages[^1];
                if (line.StartsWith("HINT:", StringComparison.Ordinal))
                {
                    messages[^1] = last with { Text = $"{last.Text.TrimEnd('.')}. {line[5..].Trim()}" };
                }
                else if (last.Line == 0 && last.IsError)
                {
                    // The verifier's log, which stands in lines of its own.
                    messages[^1] = last with { Text = $"{last.Text}\n{line.TrimEnd()}" };
                }
            }
        }

        return messages;
    }

    /// <summary>The failure of a run that attached nothing, or ended on its own with an exit code.</summary>
    public static PyDebugException Failure(
        IReadOnlyList<BpftraceMessage> messages,
        string all,
        int exit,
        Func<int, int, (int Line, int Column)> toUser,
        PodTarget target)
    {
        IReadOnlyList<BpftraceMessage> errors = [.. messages.Where(m => m.IsError)];
        string cause = Cause(errors, exit);
        if (errors.Count == 0 && exit == -Killed)
        {
            return ErrorFactory.Local(
                AgentCause.MemoryLow,
                "bpftrace was killed, as happens where the pod's memory limit is reached. It takes some 90 MB.",
                target,
                Facts(0, 0));
        }

        if (errors.Count == 0)
        {
            string end = exit < 0
                ? string.Create(CultureInfo.InvariantCulture, $"bpftrace was ended by signal {-exit}")
                : string.Create(CultureInfo.InvariantCulture, $"bpftrace ended with exit code {exit}");
            string last = all.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .LastOrDefault(l => !s_noise.Any(n => l.Contains(n, StringComparison.Ordinal))) ?? "it said nothing";
            return ErrorFactory.Local(
                AgentCause.ToolFailed, $"{end}: {SafeText.Line(last, 300)}.", target, Facts(0, 0));
        }

        // The first is the cause; where bpftrace names a place only later, that one leads to it.
        BpftraceMessage chosen = errors.FirstOrDefault(e => e.Line > 0) ?? errors[0];
        (int line, int column) = Place(chosen, toUser);
        return ErrorFactory.Local(cause, PlaceText(line, column) + Sentence(chosen.Text), target, Facts(line, column));
    }

    /// <summary>Where a message points to in the user's program, as the beginning of a sentence.</summary>
    public static string PlaceOf(BpftraceMessage message, Func<int, int, (int Line, int Column)> toUser)
    {
        (int line, int column) = Place(message, toUser);
        return PlaceText(line, column);
    }

    /// <summary>No line where it names none; no column where it names lines alone.</summary>
    private static (int Line, int Column) Place(
        BpftraceMessage message,
        Func<int, int, (int Line, int Column)> toUser)
        => message.Line == 0 ? (0, 0)
            : message.Column == 0 ? (message.Line, 0)
            : toUser(message.Line, message.Column);

    private static string PlaceText(int line, int column)
        => line == 0 ? ""
            : column == 0 ? string.Create(CultureInfo.InvariantCulture, $"Line {line}: ")
            : string.Create(CultureInfo.InvariantCulture, $"Line {line}, column {column}: ");

    private static Dictionary<string, string> Facts(int line, int column)
    {
        Dictionary<string, string> facts = new() { ["tool"] = "bpftrace" };
        if (line > 0)
        {
            facts["line"] = line.ToString(CultureInfo.InvariantCulture);
            facts["column"] = column.ToString(CultureInfo.InvariantCulture);
        }

        return facts;
    }

    private static string Cause(IReadOnlyList<BpftraceMessage> errors, int exit)
    {
        bool Says(string[] words)
            => errors.Any(e => words.Any(w => e.Text.Contains(w, StringComparison.OrdinalIgnoreCase)));

        return Says(s_unavailable) ? LocalCause.ProbeUnavailable
            : Says(s_rejected) ? LocalCause.ProgramRejected
            : exit < 0 ? AgentCause.ToolFailed
            : LocalCause.ProgramInvalid;
    }

    private static string Sentence(string text)
    {
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string first = lines.Length == 0 ? "" : lines[0];

        // Of the verifier's log the last lines say what it did not like.
        string rest = string.Join(" | ", lines.Skip(1).TakeLast(4));
        string whole = rest.Length == 0 ? first : $"{first} {rest}";
        string safe = SafeText.Line(whole, LongestLog).TrimEnd();
        return safe.EndsWith('.') || safe.EndsWith('?') ? safe : safe + ".";
    }

    private static int Number(Group group)
        => group.Success && int.TryParse(group.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : 0;

    [GeneratedRegex(
        @"^(?:\S+?:(?:\d+-)?(?<line>\d+)(?::(?<column>\d+)(?:-\d+)?)?: )?"
        + @"(?<level>ERROR|WARNING|FATAL|error): (?<text>.*)$")]
    private static partial Regex MessageLine();
}
