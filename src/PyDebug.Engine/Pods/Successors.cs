using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Finds the pod that took the place of one that is gone or going.</summary>
internal static class Successors
{
    /// <summary>The detail that names it.</summary>
    public const string Detail = "successor";

    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The newest pod of the same ReplicaSet, which where the pod is gone is told by its name: all but the last part is
    /// the ReplicaSet's. Null where there is none, or pods may not be listed.
    /// </summary>
    public static async Task<string?> FindAsync(PodApi api, string ns, string name, PodInfo? pod, CancellationToken ct)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(s_timeout);
        try
        {
            string? owner = pod is null ? null : OwnerOf(pod);
            int end = name.LastIndexOf('-');
            string? prefix = end > 0 ? name[..(end + 1)] : null;
            IReadOnlyList<Candidate> candidates = await api.ListAsync(
                ns, selector: null, p
                    => Takes(p) ? new Candidate(p.Reference.Name, p.Phase, p.Created) : null, limit.Token)
                .ConfigureAwait(false);
            return candidates
                .OrderBy(c => c.Phase == "Running" ? 0 : 1)
                .ThenByDescending(c => c.Created)
                .FirstOrDefault()?.Name;

            bool Takes(PodInfo other)
                => other.Reference.Name != name && !other.Deleting && other.Phase is "Running" or "Pending"
                    && (owner is not null
                        ? OwnerOf(other) == owner
                        : pod is null && prefix is not null && OwnerOf(other) is not null
                            && other.Reference.Name.StartsWith(prefix, StringComparison.Ordinal)
                            && !other.Reference.Name[prefix.Length..].Contains('-'));
        }
        catch (Exception e) when (e is EngineException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>The other pods of the same owner, of whatever kind, that run or will; newest first.</summary>
    public static async Task<IReadOnlyList<PodInfo>> SiblingsAsync(PodApi api, PodInfo pod, CancellationToken ct)
    {
        if (pod.Owner is not PodOwner owner)
        {
            return [];
        }

        IReadOnlyList<PodInfo> found = await api.ListAsync(
            pod.Reference.Namespace,
            selector: null,
            p => Takes(p) ? p : null,
            ct).ConfigureAwait(false);
        return [.. found.OrderByDescending(p => p.Created)];

        bool Takes(PodInfo other)
            => other.Owner?.Uid == owner.Uid && other.Reference.Uid != pod.Reference.Uid
                && other.Phase is "Running" or "Pending";
    }

    /// <summary>The ReplicaSet of a pod. Others' pods keep their names, or belong to a node.</summary>
    private static string? OwnerOf(PodInfo pod) => pod.Owner is { Kind: "ReplicaSet" } owner ? owner.Uid : null;

    private sealed record Candidate(string Name, string Phase, DateTime? Created);
}
