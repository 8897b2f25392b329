using System;
using System.Collections.Generic;
using PyDebug.Heap;
using static System.FormattableString;

namespace PyDebug.Internal;

/// <summary>What reduces a report's worth, in words.</summary>
internal static class MemrayWarnings
{
    public const string Time = "Time";
    public const string Limit = "Limit";
    public const string Memory = "Memory";
    public const string Exited = "Exited";
    public const string Tracker = "Tracker";
    public const string Other = "Other";

    /// <summary>A capture in a file that has no end.</summary>
    public const string Incomplete = "Incomplete";

    /// <summary>What is left out of a list is worth words above this share.</summary>
    private const double Notable = 0.01;

    /// <summary>Growth of less than this many bytes a second is not worth words.</summary>
    private const double LeastRate = 256 << 10;

    /// <summary>Why there is less than was asked for. The agent tells of it when it happens.</summary>
    public static IReadOnlyList<string> OfEnd(MemrayReport report)
    {
        string process = Invariant($"process {report.ProcessId}");
        string after = Invariant($"after {report.DurationSeconds:0.0} s");
        List<string> warnings = [];
        string? end = report.EndReason switch
        {
            null or Time => null,
            Limit => $"Tracking of {process} ended early, {after}: the capture reached -MaximumCaptureBytes or what "
                + "there is room for.",
            Memory => $"Tracking of {process} ended early, {after}: the memory limit was near.",
            Incomplete => $"The capture has no end: {process} was killed while it was tracked, or still is. The report "
                + $"is what had been written {after}.",
            Exited => $"The {process} ended {after}: the report is what was captured until then.",
            _ => $"Tracking of {process} ended early, {after}: the report is what was captured until then.",
        };
        if (end is not null)
        {
            warnings.Add(end);
        }

        if (report.LeakedBytes is null)
        {
            warnings.Add($"Nothing could be read from the capture of {process}.");
        }

        return warnings;
    }

    /// <summary>What the lists do not hold.</summary>
    public static IReadOnlyList<string> OfLists(MemrayReport report, int cut)
    {
        List<string> warnings = [];
        if (report.OmittedBytes > Notable * report.LeakedBytes)
        {
            warnings.Add(Counts.Of(report.OmittedStackCount, "smaller stack", "smaller stacks")
                + Invariant($" of process {report.ProcessId}, ")
                + Invariant($"{Amounts.Bytes(report.OmittedBytes)} in all, counted in the sums alone."));
        }

        if (cut > 0)
        {
            warnings.Add(Counts.Of(cut, "stack", "stacks")
                + Invariant($" of process {report.ProcessId} {(cut == 1 ? "was cut: it has" : "were cut: they have")} ")
                + "more frames than -Depth.");
        }

        return warnings;
    }

    /// <summary>Growth that is not the process's: what no allocation in it explains.</summary>
    public static IReadOnlyList<string> OfContainer(
        MemrayReport report,
        IReadOnlyList<(double Seconds, double Bytes)> container,
        IReadOnlyList<(double Seconds, double Bytes)> files)
    {
        double resident = Math.Max(0, report.ResidentBytesPerSecond ?? 0);
        double kept = Math.Max(0, report.LeakedBytesPerSecond ?? 0);
        if (MemoryForecast.Rate(container) is MemoryRate rate
            && rate.BytesPerSecond > rate.Margin
            && rate.BytesPerSecond > LeastRate
            && rate.BytesPerSecond > 2 * Math.Max(resident, kept))
        {
            bool asFiles = MemoryForecast.Rate(files)?.BytesPerSecond > 0.5 * rate.BytesPerSecond;
            return
            [
                $"The container's memory grows by {Amounts.Bytes(rate.BytesPerSecond)}/s"
                    + (asFiles ? ", as files in memory (tmpfs)" : "")
                    + Invariant(
                        $", process {report.ProcessId} by {Amounts.Bytes(resident)}/s: what it allocates is not it. ")
                    + "Get-PyHeap -DurationSeconds 20 says where the memory is.",
            ];
        }

        return resident > LeastRate && kept < resident / 2 && report.ResidentBytesPerSecond is not null
            ? [
                Invariant(
                    $"RSS of process {report.ProcessId} grows by {Amounts.Bytes(resident)}/s and little of what was ")
                    + "allocated meanwhile is kept: Get-PyHeap -DurationSeconds 20 says what grows, and who holds it.",
            ]
            : [];
    }

}
