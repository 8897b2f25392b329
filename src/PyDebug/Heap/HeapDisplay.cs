using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using PyDebug.Internal;
using PyDebug.Profiles.Flame;
using static System.FormattableString;

namespace PyDebug.Heap;

/// <summary>What the views of reports of heaps have their cells from.</summary>
internal static class HeapDisplay
{
    private const int ShortestCommand = 8;

    private const int NameCells = 32;

    private const int PartCells = 54;

    private const int LabelCells = 27;

    private const int SizeCells = 11;

    private const int RateCells = 14;

    private const int MostHolders = 3;

    /// <summary>A part below this share of the RSS has no line of its own among the rest, unless it grows.</summary>
    private const double Notable = 0.05;

    private const int DefaultShown = 15;

    /// <summary>The whole report: where the memory is, which types fill it, what grows, and who holds that.</summary>
    public static string Whole(PyHeapReport report)
    {
        int width = ViewWidth.Whole();
        StringBuilder text = new();
        text.Append("   ").Append(Heading(report, width - 3)).Append('\n');
        foreach (string warning in report.Warnings)
        {
            text.Append('\n').Append(TextTable.Cut(SafeText.Line(warning), width));
        }

        text.Append('\n').Append(TextTable.Cut(Total(report), width));
        WriteParts(text, report, width);
        if (report.Types.Count > 0)
        {
            text.Append('\n');
            WriteTypes(text, report, width);
        }

        if (!string.IsNullOrEmpty(report.Advice))
        {
            text.Append("\n\n   ").Append(TextTable.Cut(SafeText.Line(report.Advice), width - 3));
        }

        return text.ToString();
    }

    /// <summary>What something took before, an amount or a share; a point where it was not there.</summary>
    public static string Before(PyHeapDifference row) => HeapText.Side(row, row.ReferenceBytes, row.ReferencePercent);

    /// <summary>What something took after, an amount or a share; a point where it was not there.</summary>
    public static string After(PyHeapDifference row) => HeapText.Side(row, row.DifferenceBytes, row.DifferencePercent);

    private static string Heading(PyHeapReport report, int width)
    {
        string start = Display.Pod(report)
            + Invariant($"  process {report.ProcessId}");
        string looks = report.LookCount == 1 ? "1 look" : Invariant($"{report.LookCount} looks");
        string share = report.PoolShare > 1 ? Invariant($" at 1 of {report.PoolShare} pools") : "";
        string cpu = report.AgentCpuSeconds is double used ? Invariant($"  agent {used:0.0} CPU s") : "";
        string end = $"  {SafeText.Line(report.PythonVersion, 20)}"
            + Invariant($"  {report.DurationSeconds:0.0} s, {looks}{share}  nothing was held{cpu}");
        string command = SafeText.Line(report.CommandLine);
        int room = width - start.Length - end.Length - 2;
        string middle = command.Length == 0 || room < ShortestCommand ? "" : $"  {TextTable.Cut(command, room)}";
        return TextTable.Cut(start + middle + end, width);
    }

    private static string Total(PyHeapReport report)
    {
        string rss = $"RSS {Amounts.Bytes(report.ResidentBytes)}";
        if (report.LookCount > 1)
        {
            rss += $" -> {Amounts.Bytes(report.ResidentEndBytes)}{InBrackets(report.ResidentBytesPerSecond)}";
        }

        if (report.ContainerBytes is long used)
        {
            string limit = report.ContainerLimitBytes is long most ? $" of {Amounts.Bytes(most)}" : "";
            rss += $"; container {Amounts.Bytes(used)}{limit}{InBrackets(report.ContainerBytesPerSecond)}";
        }

        return report.SecondsToLimit switch
        {
            null => rss,
            < 1 => rss + ": the limit is reached",
            double seconds => rss + $": the limit is reached in about {Amounts.Ahead(seconds)}",
        };
    }

    private static string InBrackets(double? rate)
        => rate is not double value || Math.Abs(value) < 1 ? "" : $" ({HeapText.Rate(value)})";

    private static void WriteParts(StringBuilder text, PyHeapReport report, int width)
    {
        List<PyHeapPart> left = [];
        List<PyHeapPart> right = [];
        List<PyHeapPart> rest = [];
        foreach (PyHeapPart part in report.Parts)
        {
            bool grows = part.BytesPerSecond is double rate && rate > (part.BytesPerSecondMargin ?? 0) && rate > 1024;
            bool notable = grows || part.EndBytes > Notable * report.ResidentEndBytes;
            (part.Kind switch
            {
                "Object" or "Table" or "FreeInPython" or "Python" => left,
                "UnknownInPython" when notable => left,
                "CLibraryUsed" or "CLibraryFree" or "CLibrary" => right,
                "Shared" or "OtherAnonymous" or "Device" when notable => right,
                _ => rest,
            }).Add(part);
        }

        right.Add(new PyHeapPart
        {
            Name = right.Exists(p => p.Kind == "Shared") ? "files, stacks, other" : "files, stacks, shared",
            Bytes = rest.Sum(p => p.Bytes),
            EndBytes = rest.Sum(p => p.EndBytes),
            BytesPerSecond = rest.Exists(p => p.BytesPerSecond is null) ? null : rest.Sum(p => p.BytesPerSecond),
        });
        for (int i = 0; i < Math.Max(left.Count, right.Count); i++)
        {
            string first = i < left.Count ? Part(left[i]) : "";
            string second = i < right.Count ? Part(right[i]) : "";
            text.Append("\n  ").Append(TextTable.Cut((first.PadRight(PartCells) + second).TrimEnd(), width - 2));
        }
    }

    private static string Part(PyHeapPart part)
        => TextTable.Cut(part.Name, LabelCells).PadRight(LabelCells)
            + Amounts.Bytes(part.EndBytes).PadLeft(SizeCells)
            + HeapText.Rate(part.BytesPerSecond).PadLeft(RateCells);

    private static void WriteTypes(StringBuilder text, PyHeapReport report, int width)
    {
        bool grew = report.LookCount > 1;
        bool holders = report.Holders.Count > 0;
        ILookup<string, PyHeapHolder> held = report.Holders
            .OrderByDescending(h => h.ContainerPerSecond ?? 0).ThenByDescending(h => h.HeldSampleCount)
            .ToLookup(h => h.Type);
        int most = report.ShownTypeCount > 0 ? report.ShownTypeCount : DefaultShown;
        PyHeapType[] ordered = [.. Ordered(report.Types, held)];
        TextTable table = new(
        [
            ("Type", false), ("Objects", true), ("Size", true),
            .. grew ? new[] { ("Grows by", true), ("Size by", true) } : [("of it tables", true), ("Share", true)],
            (holders ? grew ? "Who holds those that were born and kept" : "Who holds them" : "", false),
        ]);
        foreach (PyHeapType type in ordered.Take(most))
        {
            string[] last = grew
                ? [Growth(type), HeapText.Rate(type.BytesPerSecond, sign: false)]
                : [type.TableBytes > 0 ? Amounts.Bytes(type.TableBytes) : ".", Share(type, report)];
            PyHeapHolder[] ways = [.. held[type.Type].Take(MostHolders)];
            table.Add(
            [
                Name(type.Type), Counted(type.Count, type.CountMargin), Amounts.Bytes(type.Bytes), .. last,
                ways.Length > 0 ? Way(ways[0]) : "",
            ]);
            foreach (PyHeapHolder way in ways.Skip(1))
            {
                table.Add("", "", "", "", "", Way(way));
            }
        }

        table.Write(text, width);
        if (ordered.Length > most)
        {
            long bytes = ordered.Skip(most).Sum(t => t.Bytes) + report.OmittedBytes;
            text.Append(Invariant($"\n… and {ordered.Length - most + report.OmittedTypeCount:#,0} more types, "))
                .Append(Amounts.Bytes(bytes)).Append("; .Types has ")
                .Append(report.OmittedTypeCount > 0 ? Invariant($"{ordered.Length:#,0} of them") : "all of them");
        }
    }

    /// <summary>What grows first, the application's own types before the interpreter's; then by size.</summary>
    private static IEnumerable<PyHeapType> Ordered(IReadOnlyList<PyHeapType> types, ILookup<string, PyHeapHolder> held)
        => types
            .OrderByDescending(t => t.Grows == "Yes")
            .ThenByDescending(t => t.Grows == "Yes" ? held[t.Type].Max(h => h.ContainerPerSecond) ?? 0 : 0)
            .ThenByDescending(t => t.Grows == "Yes" && t.Module is not ("builtins" or ""))
            .ThenByDescending(t => t.Grows == "Yes" ? t.BytesPerSecond : t.Bytes);

    private static string Name(string type)
    {
        string safe = SafeText.Line(type);
        // The end says more than the beginning.
        return LabelText.Cells(safe) <= NameCells ? safe : "…" + safe[^(NameCells - 1)..];
    }

    private static string Growth(PyHeapType type) => type.Grows switch
    {
        "Stepped" => "stepped",
        "No" => ".",
        _ => HeapText.Objects(type.CountPerSecond, type.CountPerSecondMargin),
    };

    private static string Counted(long count, long margin)
        => margin > 0 ? Invariant($"{count:#,0} +- {margin:#,0}") : Invariant($"{count:#,0}");

    private static string Share(PyHeapType type, PyHeapReport report)
        => report.ResidentEndBytes > 0 ? Invariant($"{100.0 * type.Bytes / report.ResidentEndBytes:0.0} %") : "";

    private static string Way(PyHeapHolder holder)
    {
        string rate = holder.ContainerPerSecond is double value ? Invariant($"  {value:+0.0;-0.0;+0.0}/s") : "";
        string samples = Invariant($"  {holder.HeldSampleCount} of {holder.SampleCount}");
        return SafeText.Line(holder.Path) + rate + samples;
    }
}
