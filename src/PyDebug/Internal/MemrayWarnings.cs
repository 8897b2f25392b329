using System;
using System.Collections.Generic;
using System.Globalization;

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

    /// <summary>What is left out of a list is worth words above this share.</summary>
    private const double Notable = 0.01;

    /// <summary>Why there is less than was asked for. The agent tells of it when it happens.</summary>
    public static IReadOnlyList<string> OfEnd(MemrayReport report)
    {
        string process = Format($"process {report.ProcessId}");
        string after = Format($"after {report.DurationSeconds:0.0} s");
        List<string> warnings = [];
        string? end = report.EndReason switch
        {
            null or Time => null,
            Limit => $"Tracking of {process} ended early, {after}: the capture reached -MaximumCaptureBytes or what there "
                + "is room for.",
            Memory => $"Tracking of {process} ended early, {after}: the memory limit was near.",
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
            warnings.Add(Format($"{report.OmittedStackCount:#,0} smaller stacks of process {report.ProcessId}, ")
                + Format($"{MemrayText.Bytes(report.OmittedBytes)} in all, are sums alone."));
        }

        if (cut > 0)
        {
            warnings.Add(Format($"{cut:#,0} stacks of process {report.ProcessId} were cut: ")
                + "they have more frames than -Depth.");
        }

        return warnings;
    }

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
