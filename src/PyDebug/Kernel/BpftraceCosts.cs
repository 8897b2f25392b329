using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using PyDebug.Internal;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// Says which attach point the kernel's accounts are of. Programs are loaded in the order of the points.
/// </summary>
internal static class BpftraceCosts
{
    private const int MostPrograms = 100_000;

    /// <summary>The costs by attach point; as one where it cannot be told which program belongs to which.</summary>
    /// <param name="item">What the agent sent.</param>
    /// <param name="points">The attach points in their order.</param>
    public static IReadOnlyList<BpftraceCost> Parse(JsonElement item, IReadOnlyList<string> points)
    {
        (double Seconds, long Runs)[] programs =
        [
            .. item.Items("cost", MostPrograms).Select(p => (p.Number("seconds") ?? 0, p.Long("runs") ?? 0)),
        ];
        if (programs.Length == 0)
        {
            return [];
        }

        int[] wild = [.. Enumerable.Range(0, points.Count).Where(i => IsWild(points[i]))];
        int more = programs.Length - points.Count;
        if (more < 0 || (more > 0 && wild.Length != 1))
        {
            return [Sum(null, programs)];
        }

        List<BpftraceCost> costs = [];
        int place = 0;
        for (int i = 0; i < points.Count; i++)
        {
            int count = wild.Contains(i) ? 1 + more : 1;
            costs.Add(Sum(points[i], programs.AsSpan(place, count)));
            place += count;
        }

        return costs;
    }

    private static bool IsWild(string point) => point.AsSpan().IndexOfAny('*', '?', '[') >= 0;

    private static BpftraceCost Sum(string? point, ReadOnlySpan<(double Seconds, long Runs)> programs)
    {
        double seconds = 0;
        long runs = 0;
        foreach ((double time, long count) in programs)
        {
            seconds += time;
            runs += count;
        }

        return new BpftraceCost
        {
            Probe = point is null ? null : SafeText.Line(point),
            ProgramCount = programs.Length,
            RunCount = runs,
            Seconds = Math.Round(seconds, 9),
        };
    }
}
