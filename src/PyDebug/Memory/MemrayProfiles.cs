using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>Makes profiles of a report of memory.</summary>
internal static class MemrayProfiles
{
    private const string Leaked = "Leaked";

    private const string HighWatermark = "HighWatermark";

    private const string LeakedAllocations = "LeakedAllocations";

    private const string HighWatermarkAllocations = "HighWatermarkAllocations";

    /// <summary>The metrics that there are, the one that matters most first.</summary>
    public static IReadOnlyList<string> Metrics { get; } =
        [Leaked, HighWatermark, LeakedAllocations, HighWatermarkAllocations];

    /// <summary>
    /// The profile of one metric; nothing where the report has no such metric, or nothing to make it of.
    /// </summary>
    public static IReadOnlyList<StackProfile> Of(MemrayReport report, string? metric)
    {
        string? name = Metrics.FirstOrDefault(m => m.Equals(metric ?? Leaked, StringComparison.OrdinalIgnoreCase));
        return name is null ? [] : [Make(report, name)];
    }

    private static StackProfile Make(MemrayReport report, string metric)
    {
        bool inBytes = metric is Leaked or HighWatermark;
        bool atPeak = metric is HighWatermark or HighWatermarkAllocations;
        FrameNumbers frames = new();
        ProfileBuilder builder = new(frames.Frames);
        foreach (MemrayAllocation allocation in atPeak ? report.PeakAllocations : report.Allocations)
        {
            int thread = builder.Thread(allocation.MemrayThreadId, allocation.Thread);
            double value = inBytes ? allocation.Bytes : allocation.Count;
            builder.Add(thread, frames.Stack(allocation.Frames), value, allocation.Count);
        }

        (long stacks, long size, long count) = atPeak
            ? (report.PeakOmittedStackCount, report.PeakOmittedBytes, report.PeakOmittedCount)
            : (report.OmittedStackCount, report.OmittedBytes, report.OmittedCount);
        if (stacks > 0 && (inBytes ? size : count) > 0)
        {
            // What the report holds as sums alone is part of the whole all the same.
            string name = string.Create(CultureInfo.InvariantCulture, $"({stacks:#,0} smaller stacks)");
            int thread = builder.Thread(null, null);
            builder.Add(thread, frames.Stack([new StackFrame { Name = name }]), inBytes ? size : count, count);
        }

        // Sums of allocations have no order in time.
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
            Tool = MemrayText.Mode(report),
            Metric = metric,
            Unit = inBytes ? ProfileText.BytesUnit : ProfileText.AllocationsUnit,
            DurationSeconds = report.DurationSeconds,
            StopsProcess = false,
            Warnings = report.Warnings,
        }) with { Timeline = null };
    }
}
