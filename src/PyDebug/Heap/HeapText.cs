using System;
using System.Globalization;
using PyDebug.Internal;
using static System.FormattableString;

namespace PyDebug.Heap;

/// <summary>Writes what a report of a heap says for people.</summary>
internal static class HeapText
{
    /// <summary>What less than this many bytes a second is shown as: nothing.</summary>
    private const double LeastRate = 0.5;

    /// <summary>A part's name.</summary>
    public static string Part(string kind) => kind switch
    {
        "Object" => "Python objects",
        "Table" => "their tables",
        "FreeInPython" => "free inside Python",
        "UnknownInPython" => "blocks of unknown use in Python",
        "CLibraryUsed" => "C library, in use by others",
        "CLibraryFree" => "C library, free",
        "Stack" => "stacks of threads",
        "ProgramData" => "data of programs and libraries",
        "File" => "files mapped",
        "Shared" => "shared memory",
        "Device" => "memory of devices",
        "OtherAnonymous" => "other anonymous memory",
        "Python" => "Python, in use",
        "CLibrary" => "C library",
        _ => kind,
    };

    /// <summary>What the whole comes to.</summary>
    public static string Sum(PyHeapReport report)
    {
        string rss = $"RSS {Amounts.Bytes(report.ResidentEndBytes)}";
        return report.WhyNoCensus is null ? Invariant($"{rss}, {report.TypeCount:#,0} types")
            : rss + ", objects not counted";
    }

    /// <summary>A rate of bytes, such as <c>+30.1 KiB/s</c>; a point for none, nothing where it is not known.</summary>
    public static string Rate(double? rate, bool sign = true) => rate switch
    {
        null => "",
        double value when Math.Abs(value) < LeastRate => ".",
        double value => (value < 0 ? "-" : sign ? "+" : "") + Amounts.Bytes(Math.Abs(value)) + "/s",
    };

    /// <summary>A rate of objects with its margin, such as <c>150.1 +- 2.0/s</c>.</summary>
    public static string Objects(double? rate, double? margin)
    {
        if (rate is not double value || (value == 0 && margin is not > 1))
        {
            return rate is null ? "" : ".";
        }

        string unit = Math.Abs(value) >= 100 ? "0" : Math.Abs(value) >= 10 ? "0.0" : "0.00";
        string text = value.ToString(unit, CultureInfo.InvariantCulture);
        return margin is double bound && double.IsFinite(bound)
            ? $"{text} +- {bound.ToString(bound >= 10 ? "0" : unit, CultureInfo.InvariantCulture)}/s"
            : $"{text}/s";
    }

    /// <summary>What a difference comes to, with its margin.</summary>
    public static string Difference(PyHeapDifference row)
    {
        if (row.Basis == HeapComparer.Share)
        {
            string points = Invariant($"{row.Difference:+0.0#;-0.0#;0} %");
            return row.DifferenceMargin > 0 ? Invariant($"{points} +- {row.DifferenceMargin:0.0#}") : points;
        }

        string sign = row.Difference < 0 ? "-" : row.Difference > 0 ? "+" : "";
        string text = sign + Amounts.Bytes(Math.Abs(row.Difference));
        return row.DifferenceMargin > 0 ? $"{text} +- {Amounts.Bytes(row.DifferenceMargin)}" : text;
    }

    /// <summary>What one side of a difference comes to; a point where it was not there.</summary>
    public static string Side(PyHeapDifference row, long? bytes, double? percent)
        => bytes is not long size ? "."
            : row.Basis == HeapComparer.Share && percent is double share ? Invariant($"{share:0.0#} %")
            : Amounts.Bytes(size);

}
