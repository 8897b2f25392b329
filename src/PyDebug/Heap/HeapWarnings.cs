using System;
using System.Collections.Generic;
using System.Linq;
using PyDebug.Errors;
using PyDebug.Internal;
using static System.FormattableString;

namespace PyDebug.Heap;

/// <summary>What reduces a report's worth, in words, and what to do next.</summary>
internal static class HeapWarnings
{
    /// <summary>Unknown memory above this share of the RSS is worth the first line.</summary>
    private const double Unknown = 0.1;

    /// <summary>Parts that come to less than this say that something is missing.</summary>
    private const double Covered = 99;

    /// <summary>Growth of less than this many bytes a second is not worth words.</summary>
    private const double LeastRate = 64 << 10;

    /// <summary>From how many looks on it can be said what grows.</summary>
    private const int LeastLooks = 4;

    public static IReadOnlyList<string> Of(PyHeapReport report)
    {
        List<string> warnings = [];
        if (report.WhyNoCensus is string why)
        {
            warnings.Add($"{why} The resident memory is divided all the same.");
        }
        else if (report.UnknownBytes > Unknown * report.ResidentEndBytes)
        {
            warnings.Add(Invariant($"Of {Amounts.Bytes(report.UnknownBytes)}, ")
                + Invariant($"{100.0 * report.UnknownBytes / report.ResidentEndBytes:0} % of the RSS of process ")
                + Invariant($"{report.ProcessId}, nothing is known but that they are there."));
        }

        if (report.CoveragePercent < Covered)
        {
            warnings.Add(Invariant($"The parts come to {report.CoveragePercent:0.0} % of the RSS of process ")
                + Invariant($"{report.ProcessId}: it changed while it was read."));
        }

        if (report.OmittedTypeCount > 0)
        {
            warnings.Add(Invariant($"{report.OmittedTypeCount:#,0} of {report.TypeCount:#,0} types, ")
                + $"{Amounts.Bytes(report.OmittedBytes)} in all, are left out.");
        }

        if (report.LookCount is > 1 and < LeastLooks)
        {
            warnings.Add(Invariant($"There were {report.LookCount} looks at process {report.ProcessId} in the time: ")
                + "what grows cannot be said of fewer than 4.");
        }

        return warnings;
    }

    /// <summary>What follows from where the memory grows.</summary>
    public static string? Advice(PyHeapReport report, MemoryRate? files)
    {
        if (report.WhyNoCensusCause is string cause)
        {
            return SafeText.Line(ErrorTable.Find(cause).Advice(new FailureFacts(report.Target(), detail: null)));
        }

        if (Rate(report, "Object") + Rate(report, "Table") is not double objects || report.LookCount < LeastLooks)
        {
            return null;
        }

        double rss = report.ResidentBytesPerSecond ?? 0;
        double container = report.ContainerBytesPerSecond ?? 0;
        bool grows = report.Types.Any(t => t.Grows == "Yes");
        PyHeapPart? other = report.Parts
            .Where(p => p.Kind is not ("Object" or "Table") && p.BytesPerSecond > p.BytesPerSecondMargin)
            .MaxBy(p => p.BytesPerSecond);
        if (grows && objects >= 0.5 * rss && container <= 2 * Math.Max(rss, LeastRate))
        {
            return "Get-MemrayReport says which line of code allocates what is kept.";
        }

        if (container > LeastRate && container > 2 * rss)
        {
            return $"The container's memory grows by {Amounts.Bytes(container)}/s, this process by "
                + (files?.BytesPerSecond > 0.5 * container
                    ? $"{Amounts.Bytes(Math.Max(0, rss))}/s: as files in memory (tmpfs, /dev/shm)."
                    : $"{Amounts.Bytes(Math.Max(0, rss))}/s: another process of the container takes "
                        + "it, or the kernel for it.");
        }

        return other?.Kind switch
        {
            "FreeInPython" => "RSS grows but nothing is kept: Python holds pools that are partly free. Fewer objects "
                + "at a time, or a worker that is started again, gives them back.",
            "CLibraryFree" => "RSS grows but nothing is kept: the C library holds freed memory. MALLOC_ARENA_MAX=2 or "
                + "malloc_trim gives it back.",
            "CLibraryUsed" or "OtherAnonymous" => "What grows is not Python's: a C library's memory. Get-MemrayReport "
                + "-Native says who allocates it.",
            "Shared" => "What grows is shared memory: mappings of /dev/shm, memfd or anonymous shared ones.",
            "File" => "What grows are mapped files, which the kernel can take back.",
            _ => null,
        };
    }

    private static double? Rate(PyHeapReport report, string kind)
        => report.Parts.FirstOrDefault(p => p.Kind == kind)?.BytesPerSecond;
}
