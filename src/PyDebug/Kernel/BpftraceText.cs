using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>Puts what bpftrace kept into words.</summary>
internal static class BpftraceText
{
    public static string Entry(BpftraceMap map)
    {
        string key = Key(map);
        return SafeText.Line($"{map.Map}{(key.Length == 0 ? "" : $"[{key}]")}: {Value(map)}");
    }

    /// <summary>The key's parts on one line; a stack as its frames.</summary>
    public static string Key(BpftraceMap map)
        => string.Join(", ", map.Keys.Select(k => Convert.ToString(k, CultureInfo.InvariantCulture)));

    public static string Value(BpftraceMap map) => map.Kind switch
    {
        "Histogram" => Histogram(map.Buckets),
        "Stats" => string.Create(
            CultureInfo.InvariantCulture,
            $"{(map.Count is long count ? $"{count} times, " : "")}average {map.Average:0.##}, total {map.Total:0}"),
        "TimeSeries" => string.Join("  ", map.Points.Select(p => Plain(p.Value))),
        _ => Plain(map.Value),
    };

    private static string Histogram(IReadOnlyList<BpftraceBucket> buckets)
    {
        long most = buckets.Count == 0 ? 0 : buckets.Max(b => b.Count);
        IEnumerable<string> parts = buckets.Where(b => b.Count * 50 >= most && b.Count > 0).Select(Bucket);
        return string.Join("  ", parts);
    }

    private static string Bucket(BpftraceBucket bucket)
    {
        string range = bucket.Minimum == bucket.Maximum && bucket.Minimum is long only
            ? Short(only)
            : (bucket.Minimum is long least ? Short(least) : "") + ".."
                + (bucket.Maximum is long most ? Short(most) : "");
        return string.Create(CultureInfo.InvariantCulture, $"{range}: {bucket.Count}");
    }

    private static string Short(long value)
    {
        // A power of two and what is one below it, as bpftrace itself writes them.
        long whole = (value & 1023) == 1023 ? value + 1 : value;
        string[] units = ["", "K", "M", "G", "T"];
        int unit = 0;
        while (unit < units.Length - 1 && Math.Abs(whole) >= 1024 && whole % 1024 == 0)
        {
            whole /= 1024;
            unit++;
        }

        return unit == 0 ? value.ToString(CultureInfo.InvariantCulture) : $"{whole}{units[unit]}";
    }

    private static string Plain(object? value) => value switch
    {
        string text => text,
        IEnumerable<object> list => $"({string.Join(", ", list.Select(Plain))})",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };
}
