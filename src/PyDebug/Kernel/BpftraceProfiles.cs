using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using PyDebug.Internal;
using PyDebug.Tools.Bpftrace;

namespace PyDebug.Profiles;

/// <summary>Makes profiles of the entries of bpftrace's maps whose keys have stacks.</summary>
internal static class BpftraceProfiles
{
    private static readonly StackFrame[] s_none = [new() { Name = BpftraceStacks.None }];

    /// <summary>One profile for each map and process, in the order in which they come.</summary>
    public static IReadOnlyList<StackProfile> Of(IEnumerable<BpftraceMap> entries)
        =>
        [
            .. entries.GroupBy(e => (e.Namespace, e.PodName, e.ContainerName, e.ProcessId, e.Map))
                .Select(g => Make([.. g])),
        ];

    private static StackProfile Make(IReadOnlyList<BpftraceMap> entries)
    {
        BpftraceMap first = entries[0];
        FrameNumbers frames = new();
        ProfileBuilder builder = new(frames.Frames);
        int thread = builder.Thread(null, null);
        int weightless = 0;
        foreach (BpftraceMap entry in entries)
        {
            double value = Weight(entry);
            if (value is not > 0)
            {
                weightless++;
            }
            else
            {
                IReadOnlyList<StackFrame> stack = entry.Frames.Count == 0 ? s_none : entry.Frames;
                builder.Add(thread, frames.Stack(stack), value,
                    entry.Count ?? (IsCount(entry) && entry.Value is long count ? count : 1));
            }
        }

        // What a map has summed up has no order in time.
        return builder.Build(new StackProfile
        {
            Namespace = first.Namespace,
            PodName = first.PodName,
            ContainerName = first.ContainerName,
            NodeName = first.NodeName,
            ProcessId = first.ProcessId,
            Timestamp = first.Timestamp,
            Tool = "bpftrace",
            Metric = first.Map,
            Unit = IsCount(first) ? ProfileText.EventsUnit : ProfileText.PlainUnit,
            StopsProcess = false,
            Warnings = weightless == 0
                ? []
                :
                [
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{weightless} of {Counts.Of(entries.Count, "stack", "stacks")} of {first.Map} ")
                    + (weightless == 1 ? "is left out: it has" : "are left out: they have") + " no number above 0.",
                ],
        }) with { Timeline = null };
    }

    private static bool IsCount(BpftraceMap entry) => entry.Function == "count" || entry.Kind == "Histogram";

    /// <summary>What the stack weighs: a count or a sum; of stats the sum.</summary>
    private static double Weight(BpftraceMap entry) => entry.Kind == "Stats"
        ? entry.Total ?? 0
        : entry.Value is IConvertible number and not string
            ? number.ToDouble(CultureInfo.InvariantCulture)
            : 0;
}
