using System;
using System.Collections.Generic;
using System.Linq;
using PyDebug.Internal;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// Adds up entries of a map whose keys say the same: a Python stack is another one to the program at each instruction,
/// and the same one to people while it is in the same lines.
/// </summary>
internal static class BpftraceRows
{
    /// <summary>The entries, those of one key as one where the map's function lets that be.</summary>
    /// <param name="rows">The entries.</param>
    /// <param name="function">What the map gathers, such as <c>count</c>; null where the program does not show
    /// it.</param>
    public static IReadOnlyList<BpftraceMap> Merge(IReadOnlyList<BpftraceMap> rows, string? function)
    {
        Func<BpftraceMap, BpftraceMap, BpftraceMap>? add = function switch
        {
            "count" or "sum" => (a, b) => Numbers(a, b, static (x, y) => x + y),
            "min" => (a, b) => Numbers(a, b, Int128.Min),
            "max" => (a, b) => Numbers(a, b, Int128.Max),
            "stats" => Stats,
            "hist" or "lhist" => Histograms,
            _ => null,
        };
        if (add is null)
        {
            return rows;
        }

        Dictionary<string, int> places = [];
        List<BpftraceMap> merged = [];
        foreach (BpftraceMap row in rows)
        {
            string key = string.Join(
                '\n', [row.ProcessId, .. row.Keys, .. row.Frames.Select(f => $"{f.Name}\t{f.FileName}\t{f.Line}")]);
            if (places.TryAdd(key, merged.Count))
            {
                merged.Add(row);
            }
            else
            {
                merged[places[key]] = add(merged[places[key]], row);
            }
        }

        return merged;
    }

    private static BpftraceMap Numbers(BpftraceMap one, BpftraceMap other, Func<Int128, Int128, Int128> both)
        => Whole(one.Value) is Int128 first && Whole(other.Value) is Int128 second
            ? one with { Value = BpftraceNumber.Fit(both(first, second)) }
            : one;

    private static Int128? Whole(object? value) => value switch
    {
        long number => number,
        ulong number => number,
        _ => null,
    };

    private static BpftraceMap Stats(BpftraceMap one, BpftraceMap other)
    {
        long count = Counts.Add(one.Count ?? 0, other.Count ?? 0);
        double total = (one.Total ?? 0) + (other.Total ?? 0);
        return one with { Value = count, Count = count, Total = total, Average = count == 0 ? 0 : total / count };
    }

    private static BpftraceMap Histograms(BpftraceMap one, BpftraceMap other)
    {
        SortedDictionary<long, BpftraceBucket> buckets = [];
        foreach (BpftraceBucket bucket in one.Buckets.Concat(other.Buckets))
        {
            long place = bucket.Minimum ?? long.MinValue;
            buckets[place] = buckets.TryGetValue(place, out BpftraceBucket? found)
                ? found with { Count = Counts.Add(found.Count, bucket.Count) }
                : bucket;
        }

        long count = Counts.Add(one.Count ?? 0, other.Count ?? 0);
        return one with { Value = count, Count = count, Buckets = [.. buckets.Values] };
    }
}
