using System.Collections.Generic;
using System.Globalization;

namespace PyDebug.Internal;

/// <summary>Writes what a report of time says for people.</summary>
internal static class TimeText
{
    /// <summary>The method's name of the kernel sampler.</summary>
    public const string Kernel = "Kernel";

    /// <summary>Where a stack is, in short; in words where it has no frames.</summary>
    public static string Where(IReadOnlyList<StackFrame> frames)
        => frames.Count == 0 ? "(no frames)" : FrameText.Innermost(frames);

    /// <summary>How long, and of how many threads, as <c>10.0 s of 6 threads</c>.</summary>
    public static string Window(PyTimeReport report)
    {
        string threads = report.Threads.Count == 1 ? "1 thread" : $"{report.Threads.Count} threads";
        return string.Create(CultureInfo.InvariantCulture, $"{report.DurationSeconds:0.0} s of {threads}");
    }

    /// <summary>Which sampler, as <c>kernel sampler</c>.</summary>
    public static string Sampler(PyTimeReport report)
        => $"{SafeText.Line(report.Method, 20).ToLowerInvariant()} sampler{(report.Exact ? ", every wait" : "")}";
}
