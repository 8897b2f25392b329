using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>How fast memory grew, and when the limit is reached if it grows on.</summary>
internal static class MemrayGrowth
{
    private const int LeastPoints = 3;

    private const double LeastSeconds = 0.5;

    /// <summary>Resident memory moves by as much without any trend.</summary>
    private const double LeastGrowth = 1 << 20;

    /// <summary>What is further away is not foretold by one window.</summary>
    private const double Furthest = 7 * 86_400;

    /// <summary>
    /// The slope of resident memory over the window by least squares, in bytes a second; null where there are too few
    /// points for one.
    /// </summary>
    public static double? Rate(IReadOnlyList<MemrayMemoryPoint> timeline)
    {
        if (timeline.Count < LeastPoints || timeline[^1].Seconds - timeline[0].Seconds < LeastSeconds)
        {
            return null;
        }

        double meanTime = timeline.Average(p => p.Seconds);
        double meanSize = timeline.Average(p => (double)p.ResidentBytes);
        double spread = timeline.Sum(p => (p.Seconds - meanTime) * (p.Seconds - meanTime));
        double together = timeline.Sum(p => (p.Seconds - meanTime) * (p.ResidentBytes - meanSize));
        return spread > 0 ? together / spread : null;
    }

    /// <summary>The seconds from the end of the window until the limit is reached; null where it is not.</summary>
    public static double? SecondsToLimit(MemrayReport report)
    {
        if (report.MemoryLimitBytes is not long limit
            || report.MemoryUsedBytes is not long used
            || (report.ResidentBytesPerSecond ?? report.LeakedBytesPerSecond) is not double rate
            || rate <= 0
            || rate * report.DurationSeconds < LeastGrowth)
        {
            return null;
        }

        double seconds = System.Math.Max(0, limit - used) / rate;
        return seconds <= Furthest ? System.Math.Round(seconds, 1) : null;
    }
}
