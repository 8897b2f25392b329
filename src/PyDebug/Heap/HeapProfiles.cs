using System;
using System.Collections.Generic;
using System.Linq;
using PyDebug.Profiles;

namespace PyDebug.Heap;

/// <summary>Makes profiles of a report of a heap: the stacks are ways by which memory is held, not calls.</summary>
internal static class HeapProfiles
{
    private const string Held = "Held";

    private const string Heap = "Heap";

    /// <summary>The metrics that a report has, the one that matters most first.</summary>
    public static IReadOnlyList<string> MetricsOf(PyHeapReport report)
        => report.Holders.Count > 0 ? [Held, Heap] : [Heap];

    /// <summary>The profile of one metric; nothing where the report has no such metric.</summary>
    public static IReadOnlyList<StackProfile> Of(PyHeapReport report, string? metric)
    {
        IReadOnlyList<string> metrics = MetricsOf(report);
        return (metric is null ? metrics[0] : metrics.FirstOrDefault(m => Is(m, metric))) switch
        {
            Held => [Make(report, Held, HeldStacks(report))],
            Heap => [Make(report, Heap, HeapStacks(report))],
            _ => [],
        };
    }

    private static bool Is(string metric, string name) => metric.Equals(name, StringComparison.OrdinalIgnoreCase);

    /// <summary>By root, way and type; what the samples of a type stand for is shared out by them.</summary>
    private static IEnumerable<(string[] Names, long Bytes, long Count)> HeldStacks(PyHeapReport report)
        => report.Holders.Where(h => h.SampleCount > 0).Select(holder => (
            (string[])[.. holder.Steps.Count > 0 ? holder.Steps : [$"({holder.Path})"], holder.Type],
            holder.Bytes,
            (long)holder.HeldSampleCount));

    /// <summary>By part; objects and tables by their type.</summary>
    private static IEnumerable<(string[] Names, long Bytes, long Count)> HeapStacks(PyHeapReport report)
    {
        foreach (PyHeapPart part in report.Parts.Where(p => p.EndBytes > 0))
        {
            bool tables = part.Kind == "Table";
            long left = part.EndBytes;
            foreach (PyHeapType type in part.Kind is "Object" or "Table" ? report.Types : [])
            {
                long bytes = Math.Min(tables ? type.TableBytes : type.ObjectBytes, left);
                if (bytes > 0)
                {
                    left -= bytes;
                    yield return ([part.Name, type.Type], bytes, type.Count);
                }
            }

            if (left > 0)
            {
                yield return ([part.Name], left, 0);
            }
        }
    }

    private static StackProfile Make(
        PyHeapReport report,
        string metric,
        IEnumerable<(string[] Names, long Bytes, long Count)> stacks)
    {
        FrameNumbers frames = new();
        ProfileBuilder builder = new(frames.Frames);
        int thread = builder.Thread(null, null);
        foreach ((string[] names, long bytes, long count) in stacks)
        {
            builder.Add(thread, frames.Stack(
                [.. Enumerable.Reverse(names).Select(n => new StackFrame { Name = n })]), bytes, count);
        }

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
            Tool = "PyDebug",
            Metric = metric,
            Unit = ProfileText.BytesUnit,
            DurationSeconds = report.DurationSeconds,
            StopsProcess = false,
            Warnings = report.Warnings,
        }) with { Timeline = null };
    }
}
