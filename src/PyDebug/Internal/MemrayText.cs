using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>Writes what a report of memory says for people.</summary>
internal static class MemrayText
{
    private const double Kibi = 1024;

    private const double Mebi = 1024 * Kibi;

    private const double Gibi = 1024 * Mebi;

    /// <summary>An amount, such as <c>38.2 MiB</c>: the units that a pod's limit is given in.</summary>
    public static string Bytes(double value) => value switch
    {
        // What rounds to 1024 of a unit is 1.0 of the next.
        >= 1023.95 * Mebi => Format($"{value / Gibi:0.00} GiB"),
        >= 1023.95 * Kibi => Format($"{value / Mebi:0.0} MiB"),
        >= 1023.5 => Format($"{value / Kibi:0.0} KiB"),
        _ => Format($"{value:0} B"),
    };

    /// <summary>A time to come, to as many digits as are worth having.</summary>
    public static string Ahead(double seconds) => seconds switch
    {
        < 10 => Format($"{Math.Max(1, seconds):0} s"),
        < 90 => Format($"{Math.Round(seconds / 5) * 5:0} s"),
        < 5400 => Format($"{seconds / 60:0} min"),
        < 172_800 => Format($"{seconds / 3600:0} h"),
        _ => Format($"{seconds / 86_400:0} days"),
    };

    /// <summary>Of what a report is.</summary>
    public static string Where(MemrayReport report)
    {
        string place = report.PodName.Length > 0
            ? $"{report.Namespace}/{report.PodName}/{report.ContainerName}"
            : FileName(report.CapturePath);
        return SafeText.Line(place) + Format($" process {report.ProcessId}");
    }

    /// <summary>What was kept and what there was at the peak.</summary>
    public static string Sums(MemrayReport report)
        => report.LeakedBytes is long kept && report.PeakBytes is long peak
            ? Format($"{Bytes(kept)} kept in {report.DurationSeconds:0.0} s, peak {Bytes(peak)}")
            : Format($"nothing could be read of {report.DurationSeconds:0.0} s");

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

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
