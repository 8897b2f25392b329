using System;
using System.Collections.Generic;
using System.Linq;
using static System.FormattableString;

namespace PyDebug.Internal;

/// <summary>What reduces a report's worth, in words.</summary>
internal static class TimeWarnings
{
    /// <summary>Above this share something is said.</summary>
    private const double Notable = 0.01;

    private const double Much = 0.1;

    /// <summary>The parts of a thread's time must add up to it within this share.</summary>
    private const double Tolerance = 0.02;

    private const double ShortestWall = 0.05;

    /// <summary>The warnings of a report.</summary>
    public static IReadOnlyList<string> Of(PyTimeReport report)
    {
        List<string> warnings = [];
        string process = Invariant($"process {report.ProcessId}");
        if (report.Ended)
        {
            warnings.Add(Invariant($"Process {report.ProcessId} ended, or started another program, ")
                + Invariant($"after {report.DurationSeconds:0.0} s: the report is what was seen until then."));
        }

        if (report.SampleCount == 0)
        {
            warnings.Add(
                $"No sample of {process} could be taken: the times are the kernel's, and nothing tells their lines.");
        }

        double wall = report.Threads.Sum(t => t.WallSeconds);
        if (report.UnprovenSeconds > Much * wall)
        {
            double percent = 100 * report.UnprovenSeconds / wall;
            warnings.Add(Invariant($"{percent:0} % of the time of {process} went into waits ")
                + "too short to be read for certain: it is shown as unproven.");
        }

        Add(report.MissCount, "sample", "gave no stack and is left out", "gave no stack and are left out");
        Add(report.LostCount, "event", "was lost in the kernel", "were lost in the kernel");
        Add(
            report.TruncatedCount,
            "stack",
            "was cut: it has more frames than -Depth",
            "were cut: they have more frames than -Depth");
        Add(report.UnresolvedCount, "frame", "has no name", "have no name");
        if (report.Threads.Count(IsOff) is int off and > 0)
        {
            string threads = off == 1 ? "a thread" : Invariant($"{off} threads");
            warnings.Add(Invariant(
                $"The parts of {threads} of {process} do not add up to the time within {100 * Tolerance:0} %."));
        }

        return warnings;

        void Add(long count, string what, string one, string many)
        {
            if (count > 0 && count > Notable * report.SampleCount)
            {
                warnings.Add($"{Counts.Of(count, what, what + "s")} of {process} {(count == 1 ? one : many)}.");
            }
        }
    }

    private static bool IsOff(PyTimeThread thread)
        => thread.WallSeconds > ShortestWall
            && Math.Abs(thread.AccountedSeconds - thread.WallSeconds) > Tolerance * thread.WallSeconds;

}
