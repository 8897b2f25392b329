using System;
using System.Collections.Generic;
using System.Linq;
using static System.FormattableString;

namespace PyDebug.Internal;

/// <summary>A parent that keeps nothing says nothing of its workers, whose memory may be what grows.</summary>
internal static class MemrayWorkers
{
    public const string Master = "Master";

    private const string Worker = "Worker";

    private const long LeastGrowth = 1L << 20;

    private const int MostNamed = 5;

    /// <summary>The node's time of its start, which start times rest on, is known to a second.</summary>
    private const double SameStartSeconds = 2;

    /// <summary>Which workers grew, in words; null where none did.</summary>
    /// <param name="tracked">The processes that were tracked.</param>
    /// <param name="before">All Pythons before.</param>
    /// <param name="after">All Pythons afterwards.</param>
    public static string? Growing(
        IReadOnlyList<PyProcess> tracked,
        IReadOnlyList<PyProcess> before,
        IReadOnlyList<PyProcess> after)
    {
        PyProcess[] parents = [.. tracked.Where(p => p.Role == Master)];
        (PyProcess Process, double Rate)[] growing =
        [
            .. after.Where(p => p.Role == Worker && tracked.All(t => t.ProcessId != p.ProcessId))
                .Select(p => (Process: p, Rate: Rate(before, p)))
                .Where(g => g.Rate > 0)
                .OrderByDescending(g => g.Rate),
        ];
        if (parents.Length == 0 || growing.Length == 0)
        {
            return null;
        }

        string more = growing.Length > MostNamed ? Invariant($" and {growing.Length - MostNamed} more") : "";
        return Invariant($"Process {parents[0].ProcessId} has workers that grow, and this is not their report: ")
            + string.Join(", ", growing.Take(MostNamed).Select(
                g => Invariant($"{g.Process.ProcessId} (+{Amounts.Bytes(g.Rate)}/s)")))
            + more + ". Get-PyProcess | Where-Object Role -eq Worker | Get-MemrayReport tracks them.";
    }

    /// <summary>How fast a process grew between the two looks, in bytes a second; 0 where it hardly did.</summary>
    private static double Rate(IReadOnlyList<PyProcess> before, PyProcess now)
    {
        PyProcess? then = before.FirstOrDefault(p => p.ProcessId == now.ProcessId
            && p.StartTime is DateTime one && now.StartTime is DateTime other
            && Math.Abs((one - other).TotalSeconds) <= SameStartSeconds);
        double seconds = then is null ? 0 : (now.Timestamp - then.Timestamp).TotalSeconds;
        return then?.ResidentBytes is long was && now.ResidentBytes is long size && size - was >= LeastGrowth
            && seconds > 0
            ? (size - was) / seconds
            : 0;
    }

}
