using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Heap;

/// <summary>
/// Compares two reports: in bytes where they are of one process, by shares of the RSS where they are not.
/// </summary>
internal sealed class HeapComparer(PyHeapReport before, PyHeapReport after)
{
    public const string Bytes = "Bytes";

    public const string Share = "Share";

    /// <summary>Start times of one process, as two agents computed them, may be that far apart.</summary>
    private const double SameStartSeconds = 2;

    /// <summary>Shares that differ by less are one, in points of per cent.</summary>
    private const double LeastShare = 0.05;

    /// <summary>Whether both are of the very same process.</summary>
    public bool IsSameProcess { get; } = before.Namespace == after.Namespace
        && before.PodName == after.PodName
        && before.ContainerName == after.ContainerName
        && before.ProcessId == after.ProcessId
        && before.StartTime is DateTime first
        && after.StartTime is DateTime second
        && Math.Abs((first - second).TotalSeconds) <= SameStartSeconds;

    /// <summary>What has to be said of the comparison, one sentence each.</summary>
    public IReadOnlyList<string> Remarks()
    {
        List<string> remarks = [];
        if (!IsSameProcess)
        {
            remarks.Add(
                $"{before.Target()} and {after.Target()} are two processes: they are compared by shares of their RSS.");
        }

        if (Minor(before) != Minor(after))
        {
            remarks.Add(
                $"They run Python {before.PythonVersion} and {after.PythonVersion}, whose objects differ in size.");
        }

        if (before.WhyNoCensus is not null || after.WhyNoCensus is not null)
        {
            remarks.Add("The objects of one of them were not counted: the parts alone are compared.");
        }

        return remarks;
    }

    /// <summary>The differences: parts, types and holders, each the largest first.</summary>
    public IReadOnlyList<PyHeapDifference> Compare()
    {
        List<PyHeapDifference> parts =
        [
            Row(
                "Part",
                "RSS",
                new Side(before.ResidentEndBytes, null, 0),
                new Side(after.ResidentEndBytes, null, 0),
                listed: true),
            .. Sorted(Joined(before.Parts, after.Parts, p => p.Kind).Select(p => Row(
                "Part", (p.Before ?? p.After)!.Name, Of(p.Before), Of(p.After), listed: true))),
        ];
        if (before.WhyNoCensus is not null || after.WhyNoCensus is not null)
        {
            return parts;
        }

        bool all = Lists(before) && Lists(after);
        return
        [
            .. parts,
            .. Sorted(Joined(before.Types, after.Types, t => t.Type).Select(t => Row(
                "Type",
                (t.Before ?? t.After)!.Type,
                Of(t.Before),
                Of(t.After),
                all || (t.Before is not null && t.After is not null)))),
            .. before.Holders.Count == 0 && after.Holders.Count == 0 ? [] : Sorted(
                Joined(before.Holders, after.Holders, h => $"{h.Type}: {h.Path}").Select(h => Row(
                    "Holder",
                    $"{(h.Before ?? h.After)!.Type}: {(h.Before ?? h.After)!.Path}",
                    Of(h.Before),
                    Of(h.After),
                    Held(h)))),
        ];
    }

    private static bool Lists(PyHeapReport report) => report.Types.Count >= report.TypeCount;

    /// <summary>A type that was not followed in one of them may be held there as well.</summary>
    private bool Held((PyHeapHolder? Before, PyHeapHolder? After) pair)
        => pair.Before is not null
            ? pair.After is not null || after.Holders.Any(h => h.Type == pair.Before.Type)
            : before.Holders.Any(h => h.Type == pair.After!.Type);

    private static string? Minor(PyHeapReport report)
        => report.PythonVersion is string version ? string.Join('.', version.Split('.').Take(2)) : null;

    private static IEnumerable<(T? Before, T? After)> Joined<T>(
        IReadOnlyList<T> first,
        IReadOnlyList<T> second,
        Func<T, string> key)
        where T : class
    {
        // Two classes may have one name: the larger is taken for it.
        Dictionary<string, T> left = first.GroupBy(key).ToDictionary(g => g.Key, g => g.First());
        Dictionary<string, T> right = second.GroupBy(key).ToDictionary(g => g.Key, g => g.First());
        return left.Keys.Union(right.Keys).Select(k => (left.GetValueOrDefault(k), right.GetValueOrDefault(k)));
    }

    private static IEnumerable<PyHeapDifference> Sorted(IEnumerable<PyHeapDifference> rows)
        => rows.OrderByDescending(r => Math.Abs(r.Difference));

    private static Side? Of(PyHeapPart? part) => part is null ? null : new Side(part.EndBytes, null, 0);

    private static Side? Of(PyHeapType? type)
        => type is null ? null : new Side(type.Bytes, type.Count, type.BytesMargin);

    private static Side? Of(PyHeapHolder? holder)
        => holder is null ? null : new Side(holder.Bytes, holder.HeldSampleCount, 0);

    private PyHeapDifference Row(string kind, string name, Side? left, Side? right, bool listed)
    {
        double? first = Percent(left, before);
        double? second = Percent(right, after);
        double difference = IsSameProcess
            ? (right?.Bytes ?? 0) - (left?.Bytes ?? 0)
            : Math.Round((second ?? 0) - (first ?? 0), 4);
        double margin = Math.Sqrt(Math.Pow(left?.Margin ?? 0, 2) + Math.Pow(right?.Margin ?? 0, 2));
        if (!IsSameProcess)
        {
            long smaller = Math.Min(before.ResidentEndBytes, after.ResidentEndBytes);
            margin = Math.Round(100 * margin / Math.Max(1, smaller), 4);
        }

        return new PyHeapDifference
        {
            Kind = kind,
            Name = name,
            Basis = IsSameProcess ? Bytes : Share,
            ReferenceBytes = left?.Bytes,
            DifferenceBytes = right?.Bytes,
            ReferenceCount = left?.Count,
            DifferenceCount = right?.Count,
            ReferencePercent = first,
            DifferencePercent = second,
            Difference = difference,
            DifferenceMargin = margin,
            Change = Change(left, right, difference, margin, listed),
        };
    }

    private string Change(Side? left, Side? right, double difference, double margin, bool listed)
    {
        if (left is null || right is null)
        {
            return !listed ? "Unlisted" : left is null ? "New" : "Gone";
        }

        bool same = Math.Abs(difference) <= Math.Max(margin, IsSameProcess ? 0 : LeastShare);
        return same ? "Same" : difference > 0 ? "Grown" : "Shrunk";
    }

    private static double? Percent(Side? side, PyHeapReport report)
        => side is null || report.ResidentEndBytes <= 0
            ? null
            : Math.Round(100.0 * side.Bytes / report.ResidentEndBytes, 4);

    private sealed record Side(long Bytes, long? Count, long Margin);
}
