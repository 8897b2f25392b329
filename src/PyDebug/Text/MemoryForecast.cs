using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using PyDebug.Internal;

namespace PyDebug.Heap;

/// <summary>
/// When a container's memory reaches its limit. Everything that foretells it asks here, of what the container itself
/// uses: a process's RSS neither holds files in memory nor the memory of its neighbours.
/// </summary>
internal static class MemoryForecast
{
    private const int MostPoints = 10_000;

    private const int LeastPoints = 3;

    private const double LeastSeconds = 0.5;

    /// <summary>The kernel counts memory in batches: it moves by as much without any trend.</summary>
    private const double LeastGrowth = 256 << 10;

    /// <summary>What is further away is not foretold by one window.</summary>
    private const double Furthest = 7 * 86_400;

    /// <summary>The points of an answer: seconds and what the container used by then.</summary>
    public static List<(double Seconds, double Bytes)> Points(JsonElement item, string name) => Read(item, name, 1);

    /// <summary>The same of files in memory, where the answer has them.</summary>
    public static List<(double Seconds, double Bytes)> Files(JsonElement item, string name) => Read(item, name, 2);

    private static List<(double Seconds, double Bytes)> Read(JsonElement item, string name, int place)
    {
        List<(double, double)> points = [];
        foreach (JsonElement row in item.Items(name, MostPoints))
        {
            if (row.ValueKind == JsonValueKind.Array
                && row.GetArrayLength() > place
                && row[0].ValueKind == JsonValueKind.Number
                && row[place].ValueKind == JsonValueKind.Number
                && row[0].TryGetDouble(out double seconds)
                && row[place].TryGetDouble(out double bytes)
                && Math.Abs(seconds) < 1e9
                && bytes is >= 0 and < long.MaxValue / 4)
            {
                points.Add((seconds, bytes));
            }
        }

        return points;
    }

    /// <summary>The slope through points of time and bytes; null where there are too few for one.</summary>
    public static MemoryRate? Rate(IReadOnlyList<(double Seconds, double Bytes)> points)
    {
        if (points.Count < LeastPoints || points[^1].Seconds - points[0].Seconds < LeastSeconds)
        {
            return null;
        }

        double meanTime = points.Average(p => p.Seconds);
        double meanSize = points.Average(p => p.Bytes);
        double spread = points.Sum(p => (p.Seconds - meanTime) * (p.Seconds - meanTime));
        if (spread <= 0)
        {
            return null;
        }

        double slope = points.Sum(p => (p.Seconds - meanTime) * (p.Bytes - meanSize)) / spread;
        double rest = points.Sum(p => Math.Pow(p.Bytes - meanSize - (slope * (p.Seconds - meanTime)), 2));
        double error = Math.Sqrt(rest / (points.Count - 2) / spread);
        return new MemoryRate(slope, Student(points.Count - 2) * error);
    }

    /// <summary>
    /// The seconds until the limit from the last point on; null where it is not reached: no limit, no growth that is
    /// more than its own uncertainty, or a time too far away.
    /// </summary>
    public static double? SecondsToLimit(IReadOnlyList<(double Seconds, double Bytes)> points, long? limit)
    {
        if (limit is not long most
            || Rate(points) is not MemoryRate rate
            || rate.BytesPerSecond <= rate.Margin
            || rate.BytesPerSecond * (points[^1].Seconds - points[0].Seconds) < LeastGrowth)
        {
            return null;
        }

        double seconds = Math.Max(0, most - points[^1].Bytes) / rate.BytesPerSecond;
        return seconds <= Furthest ? Math.Round(seconds, 1) : null;
    }

    /// <summary>
    /// Student's t for 95 of 100 cases; an approximation by Cornish and Fisher where there are many points.
    /// </summary>
    private static double Student(int freedom) => freedom switch
    {
        1 => 12.71,
        2 => 4.30,
        3 => 3.18,
        4 => 2.78,
        _ => 1.96 + (2.4 / freedom) + (3.0 / freedom / freedom),
    };
}
