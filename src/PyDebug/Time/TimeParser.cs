using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using PyDebug.Errors;

namespace PyDebug.Internal;

/// <summary>
/// Makes a report of the agent's answer to <c>time</c>. Stacks refer to frames by number: an answer whose numbers
/// point nowhere, or whose times are none, is refused as a whole.
/// </summary>
internal static class TimeParser
{
    private const int MostThreads = 100_000;

    private const int MostEntries = 1_000_000;

    private const int MostNotes = 100;

    /// <summary>No window is as long; a time beyond it is none.</summary>
    private const double MostSeconds = 1e9;

    /// <summary>The report of one process, or null where the answer is not one.</summary>
    public static PyTimeReport? Parse(JsonElement item, PodDebugSession session, DateTime now)
    {
        if (item.Integer("pid") is not int pid
            || pid <= 0
            || Method(item.Text("method")) is not string method
            || Seconds(item, "seconds") is not double seconds
            || Threads(item, session, pid) is not Dictionary<long, PyTimeThread> threads
            || FrameParser.Table(item) is not List<StackFrame> frames
            || Entries(item, threads, frames) is not List<TimeEntry> entries)
        {
            return null;
        }

        string? cause = item.Text("whyCause");
        JsonElement truth = Json.Part(item, "truth");
        JsonElement cost = Json.Part(item, "cost");
        PyTimeReport report = new()
        {
            Namespace = session.Namespace,
            PodName = session.PodName,
            ContainerName = session.ContainerName,
            NodeName = session.NodeName,
            ProcessId = pid,
            Timestamp = now,
            CommandLine = item.Text("command"),
            PythonVersion = item.Text("version"),
            Method = method,
            WhyNotKernel = item.Text("why"),
            WhyNotKernelCause = cause,
            Advice = AdviceOf(cause, item.Text("whyFound"), session, pid),
            Exact = item.Flag("exact") ?? false,
            Started = item.Time("begun"),
            DurationSeconds = seconds,
            SampleRate = item.Number("rate"),
            WaitSampleRate = item.Number("waitRate"),
            Ended = item.Flag("ended") ?? false,
            HeldMicroseconds = item.Number("held"),
            ThrottledSeconds = item.Number("throttled"),
            SampleCount = Count(truth, "samples") ?? 0,
            MissCount = Count(truth, "misses") ?? 0,
            TruncatedCount = Count(truth, "truncated") ?? 0,
            UnresolvedCount = Count(truth, "unresolved") ?? 0,
            LostCount = Count(truth, "lost") ?? 0,
            UnprovenSeconds = Math.Round(entries.Where(e => e.Reason == TimeReason.Unproven).Sum(e => e.Seconds), 9),
            AgentCpuSeconds = cost.Number("agentCpu"),
            ProgramSeconds = cost.Number("programSeconds"),
            ProgramRuns = Count(cost, "programRuns"),
            Notes = item.Texts("notes", MostNotes),
            Cpu = Cpu(entries, threads),
            Waits = Waits(entries, threads),
        };
        report = report with { Threads = TimeSums.Threads(threads.Values, report.Cpu, report.Waits) };
        return report with { Warnings = TimeWarnings.Of(report) };
    }

    private static string? Method(string? name) => name switch
    {
        "kernel" => TimeText.Kernel,
        "memory" => "Memory",
        _ => null,
    };

    private static string Reason(string? name) => name switch
    {
        "cpu" => TimeReason.Cpu,
        "gil" => TimeReason.Gil,
        "lock" => TimeReason.Lock,
        "sleep" => TimeReason.Sleep,
        "poll" => TimeReason.Poll,
        "io" => TimeReason.Io,
        "fault" => TimeReason.Fault,
        "runnable" => TimeReason.Runnable,
        "preempted" => TimeReason.Preempted,
        "stopped" => TimeReason.Stopped,
        "unproven" => TimeReason.Unproven,
        _ => TimeReason.Other,
    };

    private static string? AdviceOf(string? cause, string? found, PodDebugSession session, int pid)
    {
        FailureFacts facts = new(session.Target(pid), new Dictionary<string, string>
        {
            ["found"] = found ?? "", ["sessionProfile"] = session.Profile,
        });
        string advice = cause is null ? "" : Errors.Advice.ForKernelSampler(cause, facts);
        return advice.Length == 0 ? null : SafeText.Line(advice);
    }

    private static Dictionary<long, PyTimeThread>? Threads(JsonElement item, PodDebugSession session, int pid)
    {
        Dictionary<long, PyTimeThread> threads = [];
        foreach (JsonElement thread in item.Items("threads", MostThreads))
        {
            if (thread.Long("tid") is not long id || Seconds(thread, "wall") is not double wall)
            {
                return null;
            }

            threads[id] = new PyTimeThread
            {
                Namespace = session.Namespace,
                PodName = session.PodName,
                ContainerName = session.ContainerName,
                ProcessId = pid,
                ThreadId = id,
                Name = thread.Text("name") is { Length: > 0 } name ? name : null,
                IsMainThread = id == pid,
                WallSeconds = wall,
                CpuSeconds = Seconds(thread, "cpu") ?? 0,
                RunnableSeconds = Seconds(thread, "runnable"),
                SwitchCount = Count(thread, "switches"),
                SampleCount = Count(thread, "samples") ?? 0,
                ReadCount = Count(thread, "reads") ?? 0,
                UnprovenCount = Count(thread, "moved") ?? 0,
                Began = thread.Flag("began") ?? false,
                Ended = thread.Flag("ended") ?? false,
            };
        }

        return threads;
    }

    private static List<TimeEntry>? Entries(
        JsonElement item,
        Dictionary<long, PyTimeThread> threads,
        List<StackFrame> frames)
    {
        List<TimeEntry> entries = [];
        foreach (JsonElement entry in item.Items("entries", MostEntries))
        {
            if (entry.Long("tid") is not long id
                || !threads.ContainsKey(id)
                || Seconds(entry, "seconds") is not double seconds
                || FrameParser.Stack(entry, frames) is not StackFrame[] stack)
            {
                return null;
            }

            entries.Add(new TimeEntry(
                id,
                Reason(entry.Text("reason")),
                entry.Text("call"),
                seconds,
                Count(entry, "samples") ?? 0,
                Count(entry, "count"),
                Seconds(entry, "longest"),
                Seconds(entry, "error"),
                stack));
        }

        return entries;
    }

    /// <summary>The agent keeps samples with and without the GIL apart; here they are one stack.</summary>
    private static List<PyTimeCpu> Cpu(List<TimeEntry> entries, Dictionary<long, PyTimeThread> threads)
    {
        bool knowsGil = entries.Exists(e => e.Reason == TimeReason.Cpu && e.Call == "gil");
        Dictionary<TimeStackKey, PyTimeCpu> sums = [];
        foreach (TimeEntry entry in entries.Where(e => e.Reason == TimeReason.Cpu))
        {
            PyTimeThread thread = threads[entry.ThreadId];
            long? withGil = knowsGil ? entry.Call == "gil" ? entry.Samples : 0 : null;
            TimeStackKey key = new(entry.ThreadId, entry.Frames);
            sums[key] = sums.TryGetValue(key, out PyTimeCpu? sum)
                ? sum with
                {
                    Seconds = sum.Seconds + entry.Seconds,
                    SampleCount = sum.SampleCount + entry.Samples,
                    WithGilCount = sum.WithGilCount + withGil,
                }
                : new PyTimeCpu
                {
                    Namespace = thread.Namespace,
                    PodName = thread.PodName,
                    ContainerName = thread.ContainerName,
                    ProcessId = thread.ProcessId,
                    ThreadId = thread.ThreadId,
                    Thread = thread.Name,
                    Seconds = entry.Seconds,
                    SampleCount = entry.Samples,
                    WithGilCount = withGil,
                    Frames = entry.Frames,
                };
        }

        Dictionary<long, long> samples = sums.Values.GroupBy(c => c.ThreadId)
            .ToDictionary(g => g.Key, g => g.Sum(c => c.SampleCount));
        return
        [
            .. sums.Values.Select(c => c with
            {
                StandardErrorSeconds = TimeSums.StandardError(
                    c.SampleCount, samples[c.ThreadId], threads[c.ThreadId].CpuSeconds),
            }).OrderByDescending(c => c.Seconds),
        ];
    }

    private static List<PyTimeWait> Waits(List<TimeEntry> entries, Dictionary<long, PyTimeThread> threads)
        =>
        [
            .. entries.Where(e => e.Reason != TimeReason.Cpu)
                .Select(e => Wait(e, threads[e.ThreadId]))
                .OrderByDescending(w => w.Seconds),
        ];

    private static PyTimeWait Wait(TimeEntry entry, PyTimeThread thread) => new()
    {
        Namespace = thread.Namespace,
        PodName = thread.PodName,
        ContainerName = thread.ContainerName,
        ProcessId = thread.ProcessId,
        ThreadId = thread.ThreadId,
        Thread = thread.Name,
        Reason = entry.Reason,
        Call = entry.Call,
        Seconds = entry.Seconds,
        StandardErrorSeconds = TimeSums.Rounded(entry.Error * Off(thread, entry.Reason)),
        SampleCount = entry.Samples,
        Count = entry.Count,
        LongestSeconds = entry.Longest,
        Frames = entry.Frames,
    };

    /// <summary>The time that a wait's share is a share of.</summary>
    private static double Off(PyTimeThread thread, string reason)
        => reason is TimeReason.Runnable or TimeReason.Preempted && thread.RunnableSeconds is double queued
            ? queued
            : Math.Max(0, thread.WallSeconds - thread.CpuSeconds - (thread.RunnableSeconds ?? 0));

    private static double? Seconds(JsonElement item, string name)
        => item.Number(name) is double number && number is >= 0 and < MostSeconds ? number : null;

    private static long? Count(JsonElement item, string name)
        => item.Long(name) is long number and >= 0 ? number : null;
}
