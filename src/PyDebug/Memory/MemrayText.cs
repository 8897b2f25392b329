using System;
using System.Collections.Generic;
using System.Linq;
using static System.FormattableString;

namespace PyDebug.Internal;

/// <summary>Writes what a report of memory says for people.</summary>
internal static class MemrayText
{
    /// <summary>Of what a report is.</summary>
    public static string Where(MemrayReport report)
    {
        string place = report.PodName.Length > 0
            ? $"{report.Namespace}/{report.PodName}/{report.ContainerName}"
            : FileName(report.CapturePath);
        return SafeText.Line(place) + Invariant($" process {report.ProcessId}");
    }

    /// <summary>What was kept and what there was at the peak.</summary>
    public static string Sums(MemrayReport report)
        => report.LeakedBytes is long kept && report.PeakBytes is long peak
            ? Invariant($"{Amounts.Bytes(kept)} kept in {report.DurationSeconds:0.0} s, peak {Amounts.Bytes(peak)}")
            : Invariant($"nothing could be read of {report.DurationSeconds:0.0} s");

    /// <summary>How it was tracked, as <c>memray 1.20.0, native</c>.</summary>
    public static string Mode(MemrayReport report)
    {
        List<string> parts = [$"memray {SafeText.Line(report.MemrayVersion, 20)}".TrimEnd()];
        parts.AddRange(report.Native ? ["native"] : []);
        parts.AddRange(report.PythonAllocators ? ["Python's allocators"] : []);
        parts.AddRange(report.Aggregated ? ["aggregated"] : []);
        return string.Join(", ", parts);
    }

    /// <summary>The frames of an allocation on one line, from the innermost Python function outwards.</summary>
    public static string Stack(MemrayAllocation allocation)
    {
        int start = Innermost(allocation.Frames);
        return allocation.Frames.Count == 0
            ? "(no Python frames)"
            : FrameText.Joined(start > 0 ? [.. allocation.Frames.Skip(start)] : allocation.Frames);
    }

    /// <summary>
    /// The innermost frame of Python: with native frames those of the allocator and of libraries lie within it. The
    /// innermost of all where none is Python's.
    /// </summary>
    public static int Innermost(IReadOnlyList<StackFrame> frames)
    {
        for (int i = 0; i < frames.Count; i++)
        {
            if (IsPython(frames[i]))
            {
                return i;
            }
        }

        return 0;
    }

    private static bool IsPython(StackFrame frame)
        => frame.FileName.EndsWith(".py", StringComparison.Ordinal)
            || (frame.FileName.StartsWith('<') && frame.FileName != "<unknown>");

    private static string FileName(string? path)
        => string.IsNullOrEmpty(path) ? "capture" : path[(path.LastIndexOfAny(['/', '\\']) + 1)..];

}
