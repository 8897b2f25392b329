using System;
using System.Collections.Generic;
using System.Linq;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>Makes profiles of a report of time.</summary>
internal static class TimeProfiles
{
    private const string Wall = "Wall";

    private const string Cpu = "Cpu";

    private const string Wait = "Wait";

    /// <summary>The metrics that there are, the one that matters most first.</summary>
    public static IReadOnlyList<string> Metrics { get; } = [Wall, Cpu, Wait];

    /// <summary>The profile of one metric; nothing where the report has no such metric.</summary>
    public static IReadOnlyList<StackProfile> Of(PyTimeReport report, string? metric)
    {
        string? name = Metrics.FirstOrDefault(m => m.Equals(metric ?? Wall, StringComparison.OrdinalIgnoreCase));
        return name is null ? [] : [Make(report, name)];
    }

    private static StackProfile Make(PyTimeReport report, string metric)
    {
        FrameNumbers frames = new();
        ProfileBuilder builder = new(frames.Frames);
        if (metric != Wait)
        {
            SampleState ran = metric == Wall ? new SampleState(TimeReason.Cpu, null) : default;
            foreach (PyTimeCpu cpu in report.Cpu)
            {
                int thread = builder.Thread(cpu.ThreadId, cpu.Thread);
                builder.Add(thread, frames.Stack(cpu.Frames), cpu.Seconds, cpu.SampleCount, ran);
            }
        }

        if (metric != Cpu)
        {
            foreach (PyTimeWait wait in report.Waits)
            {
                int thread = builder.Thread(wait.ThreadId, wait.Thread);
                SampleState state = new(wait.Reason, wait.Call);
                builder.Add(thread, frames.Stack(wait.Frames), wait.Seconds, wait.SampleCount, state);
            }
        }

        // What was sampled side by side has no order in time.
        return builder.Build(new StackProfile
        {
            Namespace = report.Namespace,
            PodName = report.PodName,
            ContainerName = report.ContainerName,
            NodeName = report.NodeName,
            ProcessId = report.ProcessId,
            Timestamp = report.Timestamp,
            CommandLine = report.CommandLine,
            PythonVersion = report.PythonVersion,
            Tool = $"PyDebug, {TimeText.Sampler(report)}",
            Metric = metric,
            Unit = "seconds",
            DurationSeconds = report.DurationSeconds,
            SampleRate = metric == Wait ? report.WaitSampleRate ?? report.SampleRate : report.SampleRate,
            ErrorCount = report.MissCount,
            StopsProcess = false,
            Warnings = report.Warnings,
        }) with { Timeline = null };
    }
}
