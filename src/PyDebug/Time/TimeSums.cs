using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>Adds a report's entries up by thread.</summary>
internal static class TimeSums
{
    /// <summary>Takes away what adding up binary fractions leaves behind.</summary>
    private const int Digits = 9;

    /// <summary>The threads with their parts, in the order of their ids.</summary>
    public static IReadOnlyList<PyTimeThread> Threads(
        IEnumerable<PyTimeThread> threads,
        IReadOnlyList<PyTimeCpu> cpu,
        IReadOnlyList<PyTimeWait> waits)
    {
        ILookup<long, PyTimeCpu> ran = cpu.ToLookup(c => c.ThreadId);
        ILookup<long, PyTimeWait> waited = waits.ToLookup(w => w.ThreadId);
        return [.. threads.Select(t => Whole(t, ran[t.ThreadId], waited[t.ThreadId])).OrderBy(t => t.ThreadId)];
    }

    /// <summary>The standard error of a sampled share of a time: that of a binomial count.</summary>
    public static double? StandardError(long samples, long of, double seconds)
    {
        if (samples <= 0 || of <= 0)
        {
            return null;
        }

        double share = Math.Min(1, (double)samples / of);
        return Rounded(seconds * Math.Sqrt(share * (1 - share) / of));
    }

    /// <summary>An error to the microsecond: no more of it is known.</summary>
    public static double? Rounded(double? seconds) => seconds is double value ? Math.Round(value, 6) : null;

    private static PyTimeThread Whole(PyTimeThread thread, IEnumerable<PyTimeCpu> cpu, IEnumerable<PyTimeWait> waits)
    {
        PyTimeWait[] waited = [.. waits];
        double Of(params string[] reasons)
            => Math.Round(waited.Where(w => reasons.Contains(w.Reason)).Sum(w => w.Seconds), Digits);
        bool knowsRunnable = thread.RunnableSeconds is not null
            || waited.Any(w => w.Reason is TimeReason.Runnable or TimeReason.Preempted);
        (string Where, double Seconds, StackFrame Line)? hottest = Most(
            cpu.Where(c => c.Frames.Count > 0).Select(c => (c.Frames, c.Seconds)));
        double ran = Math.Round(cpu.Sum(c => c.Seconds), Digits);
        IGrouping<string, PyTimeWait>? reason = waited
            .Where(w => w.Frames.Count > 0 && w.Reason is not (TimeReason.Runnable or TimeReason.Preempted))
            .GroupBy(w => TimeReason.Label(w.Reason, w.Call))
            .MaxBy(g => g.Sum(w => w.Seconds));
        (string Where, double Seconds, StackFrame Line)? longest =
            reason is null ? null : Most(reason.Select(w => (w.Frames, w.Seconds)));
        PyTimeWait[] there = [.. reason?.Where(w => w.Frames[0] == longest?.Line) ?? []];
        return thread with
        {
            CpuSeconds = ran,
            GilSeconds = Of(TimeReason.Gil),
            LockSeconds = Of(TimeReason.Lock),
            SleepSeconds = Of(TimeReason.Sleep),
            PollSeconds = Of(TimeReason.Poll),
            IoSeconds = Of(TimeReason.Io),
            FaultSeconds = Of(TimeReason.Fault),
            RunnableSeconds = knowsRunnable ? Of(TimeReason.Runnable, TimeReason.Preempted) : null,
            OtherSeconds = Of(TimeReason.Stopped, TimeReason.Other),
            UnprovenSeconds = Of(TimeReason.Unproven),
            AccountedSeconds = Math.Round(ran + waited.Sum(w => w.Seconds), Digits),
            Hottest = hottest?.Where,
            HottestPercent = hottest?.Seconds is double most && ran > 0 ? Math.Round(100 * most / ran, 1) : null,
            WaitsAt = longest?.Where,
            WaitsFor = reason?.Key,
            WaitsSeconds = longest?.Seconds is double sum ? Math.Round(sum, Digits) : null,
            WaitsCount = there.Any(w => w.Count is not null) ? there.Sum(w => w.Count) : null,
            WaitsLongestSeconds = there.Max(w => w.LongestSeconds),
        };
    }

    /// <summary>The line with the highest sum, written with the largest stack that leads there.</summary>
    private static (string Where, double Seconds, StackFrame Line)? Most(
        IEnumerable<(IReadOnlyList<StackFrame> Frames, double Seconds)> stacks)
    {
        IGrouping<StackFrame, (IReadOnlyList<StackFrame> Frames, double Seconds)>? line = stacks
            .GroupBy(s => s.Frames[0])
            .MaxBy(g => g.Sum(s => s.Seconds));
        return line is null
            ? null
            : (FrameText.Innermost(line.MaxBy(s => s.Seconds).Frames), line.Sum(s => s.Seconds), line.Key);
    }
}
