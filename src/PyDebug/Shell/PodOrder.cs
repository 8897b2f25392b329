using System;
using System.Collections.Generic;
using System.Linq;
using PyDebug.Engine;

namespace PyDebug.Commands;

/// <summary>Which of a workload's pods are taken.</summary>
/// <param name="SortBy">Newest, Oldest or Name.</param>
/// <param name="First">The most of them; null for all.</param>
/// <param name="OnePerNode">Whether one on each node is enough.</param>
internal sealed record PodOrder(string SortBy, int? First, bool OnePerNode)
{
    /// <summary>The parameters that leave some out.</summary>
    public string Names => (First, OnePerNode) switch
    {
        (null, _) => "-OnePerNode",
        (_, true) => $"-OnePerNode and -First {First}",
        _ => $"-First {First}",
    };

    /// <summary>The pods to take, in their order.</summary>
    public IReadOnlyList<PodChoice> Choose(IEnumerable<PodChoice> pods)
    {
        IEnumerable<PodChoice> sorted = SortBy.ToUpperInvariant() switch
        {
            "NAME" => pods.OrderBy(p => p.Reference.ToString(), StringComparer.Ordinal),
            "OLDEST" => pods.OrderBy(p => p.Created ?? DateTime.MaxValue)
                .ThenBy(p => p.Reference.ToString(), StringComparer.Ordinal),
            _ => pods.OrderByDescending(p => p.Created ?? DateTime.MinValue)
                .ThenBy(p => p.Reference.ToString(), StringComparer.Ordinal),
        };
        if (OnePerNode)
        {
            // One that is on no node yet is nobody's neighbour.
            sorted = sorted.DistinctBy(p => p.NodeName ?? p.Reference.Uid);
        }

        return [.. First is int most ? sorted.Take(most) : sorted];
    }
}
