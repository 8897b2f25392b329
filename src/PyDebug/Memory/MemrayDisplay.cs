using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using PyDebug.Profiles.Flame;
using static System.FormattableString;

namespace PyDebug.Internal;

/// <summary>What the views of reports of memory have their cells from.</summary>
internal static class MemrayDisplay
{
    private const int MostFunctions = 5;

    private const int SizeCells = 12;

    private const int CountCells = 10;

    private const int LabelCells = 20;

    private const int ShortestCommand = 8;

    /// <summary>The whole report: a heading, the sums, and the functions that kept most.</summary>
    public static string Whole(MemrayReport report)
    {
        int width = ViewWidth.Whole();
        StringBuilder text = new();
        text.Append("   ").Append(Heading(report, width - 3)).Append('\n');
        if (report.LeakedBytes is null || report.PeakBytes is null)
        {
            text.Append("\nNothing could be read from the capture");
            text.Append(report.CaptureBytes is long size ? $" of {Amounts.Bytes(size)}." : ".");
        }
        else
        {
            WriteSums(text, report, width);
            WriteFunctions(text, report, width);
        }

        foreach (string warning in report.Warnings)
        {
            text.Append("\n   ").Append(TextTable.Cut(SafeText.Line(warning), width - 3));
        }

        if (report.LeftMappingCount > 0)
        {
            string libraries = Counts.Of(report.LeftLibraries.Count, "library", "libraries");
            string maps = Counts.Of(report.LeftMappingCount.Value, "map", "maps");
            text.Append('\n');
            WriteLine(
                text,
                "Left in it",
                $"{libraries} in {maps}, unused",
                width);
        }

        WriteFile(text, "Capture", report.CapturePath, width);
        return text.ToString();
    }

    private static string Heading(MemrayReport report, int width)
    {
        string source = report.PodName.Length > 0 ? Display.Pod(report) : "from a capture";
        string start = source + Invariant($"  process {report.ProcessId}");
        string pause = (report.PauseMilliseconds ?? (report.HeldMicroseconds / 1000)) is double time
            ? Invariant($"  pause {(time < 1 ? Math.Round(time, 1) : Math.Round(time)):0.#} ms")
            : "";
        string end = Invariant($"  {report.DurationSeconds:0.0} s  {MemrayText.Mode(report)}{pause}");
        string command = SafeText.Line(report.CommandLine);
        int room = width - start.Length - end.Length - 2;
        string middle = command.Length == 0 || room < ShortestCommand ? "" : $"  {TextTable.Cut(command, room)}";
        return TextTable.Cut(start + middle + end, width);
    }

    private static void WriteSums(StringBuilder text, MemrayReport report, int width)
    {
        string count = Counts.Of(report.LeakedCount ?? 0, "allocation", "allocations");
        string kept = report.LeakedBytes > 0 ? $"{Amounts.Bytes(report.LeakedBytes.Value)} in {count}" : "nothing";
        if (report.LeakedBytes > 0 && report.LeakedBytesPerSecond is double rate)
        {
            kept += $" ({Amounts.Bytes(rate)}/s)";
        }

        WriteLine(text, Invariant($"Kept after {report.DurationSeconds:0.0} s"), kept, width);
        string peak = Amounts.Bytes(report.PeakBytes!.Value)
            + (report.PeakAtSeconds is double at ? Invariant($" at {at:0.0} s") : "");
        WriteLine(text, "Peak", peak, width);
        if (report.Timeline.Count > 0)
        {
            WriteLine(text, "RSS", Resident(report), width);
        }
    }

    /// <summary>How resident memory went, of how much, and how long until that is used up.</summary>
    private static string Resident(MemrayReport report)
    {
        string text = Amounts.Bytes(report.Timeline[0].ResidentBytes) + " -> "
            + Amounts.Bytes(report.Timeline[^1].ResidentBytes);
        if (report.ContainerLimitBytes is long limit)
        {
            text += $" of {Amounts.Bytes(limit)}";
        }

        return report.SecondsToLimit switch
        {
            null => text,
            < 1 => text + ": the limit is reached",
            double seconds => text + $": the limit is reached in about {Amounts.Ahead(seconds)} at this rate",
        };
    }

    private static void WriteLine(StringBuilder text, string label, string value, int width)
        => text.Append('\n').Append(TextTable.Cut(label.PadRight(LabelCells) + value, width));

    /// <summary>The functions that kept most, each by its largest stack.</summary>
    private static void WriteFunctions(StringBuilder text, MemrayReport report, int width)
    {
        if (report.Allocations.Count == 0)
        {
            return;
        }

        IGrouping<(string, string), MemrayAllocation>[] functions =
            [.. report.Allocations.GroupBy(a => (a.Function, a.FileName)).OrderByDescending(g => g.Sum(a => a.Bytes))];
        int room = width - SizeCells - CountCells;
        text.Append('\n').Append("Size".PadLeft(room + SizeCells)).Append("Count".PadLeft(CountCells));
        foreach (IGrouping<(string, string), MemrayAllocation> function in functions.Take(MostFunctions))
        {
            string stack = TextTable.Cut(MemrayText.Stack(function.MaxBy(a => a.Bytes)!), room);
            text.Append('\n').Append(stack).Append(' ', room - LabelText.Cells(stack));
            text.Append(Amounts.Bytes(function.Sum(a => a.Bytes)).PadLeft(SizeCells));
            text.Append(Invariant($"{function.Sum(a => a.Count):#,0}").PadLeft(CountCells));
        }

        if (functions.Length > MostFunctions)
        {
            IEnumerable<MemrayAllocation> others = functions.Skip(MostFunctions).SelectMany(g => g);
            string rest = functions.Length == MostFunctions + 1
                ? "… and one more function"
                : Invariant($"… and {functions.Length - MostFunctions:#,0} more functions");
            rest = TextTable.Cut(rest + "; .Allocations has every stack", room);
            text.Append('\n').Append(rest).Append(' ', room - LabelText.Cells(rest));
            text.Append(Amounts.Bytes(others.Sum(a => a.Bytes) + report.OmittedBytes).PadLeft(SizeCells));
            text.Append(Invariant($"{others.Sum(a => a.Count) + report.OmittedCount:#,0}").PadLeft(CountCells));
        }
    }

    private static void WriteFile(StringBuilder text, string label, string? path, int width)
    {
        if (!string.IsNullOrEmpty(path))
        {
            text.Append("\n   ").Append(TextTable.Cut($"{label}: {SafeText.Line(path)}", width - 3));
        }
    }

}
