using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// Adds up entries of a map whose keys say the same: a Python stack is another one to the program at each instruction,
/// and the same one to people while it is in the same lines.
/// </summary>
internal static class BpftraceRows
{
    /// <summary>The entries, those of one key as one where the map's function lets that be.</summary>
    /// <param name="rows">The entries.</param>
    /// <param name="function">What the map gathers, such as <c>count</c>; null where the program does not show it.</param>
    public static IReadOnlyList<BpftraceMap> Merge(IReadOnlyList<BpftraceMap> rows, string? function)
    {
        Func<BpftraceMap, BpftraceMap, BpftraceMap>? add = function switch
        {
            "count" or "sum" => (a, b) => Numbers(a, b, (x, y) => x + y),
            "min" => (a, b) => Numbers(a, b, Math.Min),
            "max" => (a, b) => Numbers(a, b, Math.Max),
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

    private static BpftraceMap Numbers(BpftraceMap one, BpftraceMap other, Func<long, long, long> both)
        => one.Value is long first && other.Value is long second ? one with { Value = both(first, second) } : one;

    private static BpftraceMap Stats(BpftraceMap one, BpftraceMap other)
    {
        long count = (one.Count ?? 0) + (other.Count ?? 0);
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
                ? found with { Count = found.Count + bucket.Count }
                : bucket;
        }

        long count = (one.Count ?? 0) + (other.Count ?? 0);
        return one with { Value = count, Count = count, Buckets = [.. buckets.Values] };
    }
}
