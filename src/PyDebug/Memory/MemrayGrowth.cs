using System.Collections.Generic;
using System.Linq;
using PyDebug.Heap;

namespace PyDebug.Internal;

/// <summary>How fast memory grew while it was tracked, and when the limit is reached if it grows on.</summary>
internal static class MemrayGrowth
{
    /// <summary>
    /// The slope of resident memory over the window, in bytes a second; null where there are too few points for one.
    /// </summary>
    public static double? Rate(IReadOnlyList<MemrayMemoryPoint> timeline)
        => MemoryForecast.Rate(Resident(timeline))?.BytesPerSecond;

    /// <summary>The seconds from the end of the window until the limit is reached; null where it is not.</summary>
    /// <param name="report">A report with its limit and what was used under it at the end.</param>
    /// <param name="container">
    /// What the container used over time. Where that is not known its growth is taken for that of the process.
    /// </param>
    public static double? SecondsToLimit(
        MemrayReport report,
        IReadOnlyList<(double Seconds, double Bytes)> container)
    {
        if (report.ContainerBytes is not long used)
        {
            return null;
        }

        if (MemoryForecast.Rate(container) is null)
        {
            container = report.Timeline.Count > 0
                ? Ending(Resident(report.Timeline), used)
                : Even(report.LeakedBytesPerSecond ?? 0, report.DurationSeconds, used);
        }

        return MemoryForecast.SecondsToLimit(container, report.ContainerLimitBytes);
    }

    private static IReadOnlyList<(double Seconds, double Bytes)> Resident(IReadOnlyList<MemrayMemoryPoint> timeline)
        => [.. timeline.Select(p => (p.Seconds, (double)p.ResidentBytes))];

    /// <summary>The same growth, to what is used at the end.</summary>
    private static IReadOnlyList<(double Seconds, double Bytes)> Ending(
        IReadOnlyList<(double Seconds, double Bytes)> points,
        long used)
        => [.. points.Select(p => (p.Seconds, p.Bytes - points[^1].Bytes + used))];

    private static IReadOnlyList<(double Seconds, double Bytes)> Even(double rate, double seconds, long used)
        => [.. new[] { 0, 0.5, 1 }.Select(part => (part * seconds, used - (rate * seconds * (1 - part))))];
}
