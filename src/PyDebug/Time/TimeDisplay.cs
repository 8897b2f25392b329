using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using static System.FormattableString;

namespace PyDebug.Internal;

/// <summary>What the views of reports of time have their cells from.</summary>
internal static class TimeDisplay
{
    private const int MostThreads = 40;

    private const int NameLength = 16;

    private const int ShortestCommand = 8;

    /// <summary>A part of the window from which on a quota is worth a line.</summary>
    private const double ThrottledShare = 0.01;

    /// <summary>A part of a thread's wall time below this is not worth words.</summary>
    private const double Notable = 0.05;

    /// <summary>The whole report: a heading, and a line for each thread.</summary>
    public static string Whole(PyTimeReport report)
    {
        int width = ViewWidth.Whole();
        StringBuilder text = new();
        text.Append("   ").Append(Heading(report, width - 3)).Append('\n');
        IReadOnlyList<PyTimeThread> shown = Shown(report.Threads);
        WriteThreads(text, shown, width);
        if (report.Threads.Count - shown.Count is int hidden and > 0)
        {
            string others = Counts.Of(hidden, "thread", "threads");
            text.Append($"\n   … and {others} that did less; .Threads has all of them");
        }

        string space = "\n\n";
        foreach (string remark in Remarks(report))
        {
            text.Append(space).Append("   ").Append(TextTable.Cut(SafeText.Line(remark), width - 3));
            space = "\n";
        }

        return text.ToString();
    }

    /// <summary>The stack of a part of a report on one line.</summary>
    public static string Stack(IReadOnlyList<StackFrame> frames)
        => frames.Count == 0 ? "(no frames)" : FrameText.Joined(frames);

    /// <summary>
    /// How many waits there were and the longest, where each was taken; else the number of samples.
    /// </summary>
    public static string Seen(PyTimeWait wait)
        => wait.Count is long count
            ? Counted(count, wait.LongestSeconds)
            : wait.SampleCount == 1 ? "1 sample" : Invariant($"{wait.SampleCount:#,0} samples");

    private static string Counted(long count, double? longest)
    {
        string times = count == 1 ? "once" : Invariant($"{count:#,0} times");
        return longest is double seconds && count > 1 ? $"{times}, longest {Amounts.Length(seconds)}" : times;
    }

    private static string Heading(PyTimeReport report, int width)
    {
        string start = Display.Pod(report)
            + Invariant($"  process {report.ProcessId}");
        string held = report.HeldMicroseconds is double time
            ? $"threads held up to {Amounts.Length(time / 1e6)}"
            : "nothing was held";
        string rate = report.Method == TimeText.Kernel || report.SampleRate is not double hertz
            ? ""
            : Invariant($" at {hertz:0} Hz");
        string end = $"  {TimeText.Window(report)}  {TimeText.Sampler(report)}{rate}, {held}";
        string command = SafeText.Line(report.CommandLine);
        int room = width - start.Length - end.Length - 2;
        string middle = command.Length == 0 || room < ShortestCommand ? "" : $"  {TextTable.Cut(command, room)}";
        return TextTable.Cut(start + middle + end, width);
    }

    /// <summary>What belongs to the figures and is in none of the columns.</summary>
    private static IEnumerable<string> Remarks(PyTimeReport report)
        => report.ThrottledSeconds >= ThrottledShare * report.DurationSeconds
            ? report.Notes.Prepend(Invariant(
                $"The container's CPU quota kept it from running for {report.ThrottledSeconds:0.0} s."))
            : report.Notes;

    /// <summary>The threads that did most where there are too many for a screen, in the order of their ids.</summary>
    private static IReadOnlyList<PyTimeThread> Shown(IReadOnlyList<PyTimeThread> threads)
        => threads.Count <= MostThreads
            ? threads
            :
            [
                .. threads
                    .OrderByDescending(t => t.CpuSeconds + t.GilSeconds + t.FaultSeconds + (t.RunnableSeconds ?? 0))
                    .ThenByDescending(t => t.WallSeconds - t.SleepSeconds - t.PollSeconds)
                    .Take(MostThreads)
                    .OrderBy(t => t.ThreadId),
            ];

    private static void WriteThreads(StringBuilder text, IReadOnlyList<PyTimeThread> threads, int width)
    {
        if (threads.Count == 0)
        {
            text.Append("\nNo thread was seen.");
            return;
        }

        (string Label, Func<PyTimeThread, double?> Value)[] values =
        [
            ("CPU", t => t.CpuSeconds),
            ("GIL", t => t.GilSeconds),
            ("Lock", t => t.LockSeconds),
            ("Sleep", t => t.SleepSeconds),
            ("I/O", t => t.IoSeconds + t.PollSeconds),
            ("Runnable", t => t.RunnableSeconds),
            .. Rare(threads, "Fault", t => t.FaultSeconds),
            .. Rare(threads, "Other", t => t.OtherSeconds),
            .. Rare(threads, "Unproven", t => t.UnprovenSeconds),
        ];
        TextTable table = new(
        [
            ("Thread", true), ("Name", false), .. values.Select(v => (v.Label, true)),
            ("Hottest line, and where it waits", false),
        ]);
        IReadOnlyList<string> names = ShortNames.Of([.. threads.Select(t => SafeText.Line(t.Name))], NameLength);
        for (int i = 0; i < threads.Count; i++)
        {
            PyTimeThread thread = threads[i];
            table.Add(
            [
                Invariant($"{thread.ThreadId}"),
                names[i],
                .. values.Select(v => Amounts.State(v.Value(thread))),
                Where(thread),
            ]);
        }

        table.Write(text, width);
    }

    /// <summary>A column that is shown where some thread has something in it.</summary>
    private static IEnumerable<(string Label, Func<PyTimeThread, double?> Value)> Rare(
        IReadOnlyList<PyTimeThread> threads,
        string label,
        Func<PyTimeThread, double?> value)
        => threads.Any(t => value(t) >= 0.01 && value(t) >= 0.002 * t.WallSeconds) ? [(label, value)] : [];

    /// <summary>A thread's hottest line and where it waits.</summary>
    public static string Where(PyTimeThread thread)
    {
        double least = Notable * thread.WallSeconds;
        bool ran = thread.Hottest is not null && (thread.CpuSeconds >= least || thread.WaitsAt is null);
        bool waits = thread.WaitsAt is not null && (thread.WaitsSeconds >= least || !ran);
        List<string> parts = [];
        if (ran)
        {
            parts.Add(Invariant($"{SafeText.Line(thread.Hottest)} {thread.HottestPercent:0} %"));
        }

        if (waits)
        {
            string at = SafeText.Line(thread.WaitsAt);
            string reason = SafeText.Line(thread.WaitsFor);
            parts.Add(ran
                ? $"{reason} {(thread.WaitsAt == thread.Hottest ? "there" : $"at {at}")}"
                : reason is "lock" or "sleep" ? at : $"{at}: {reason}");
        }

        if (waits && thread.WaitsCount is long count)
        {
            parts[^1] += $", {Counted(count, thread.WaitsLongestSeconds)}";
        }

        return parts.Count == 0 ? "(no Python frames)" : string.Join("; ", parts);
    }

}
