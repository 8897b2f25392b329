using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>Finds the pods that are meant by workloads and label selectors, and says which are left out.</summary>
/// <param name="gateway">The way to the server.</param>
/// <param name="order">Which of many.</param>
/// <param name="writer">Takes what was left out.</param>
internal sealed class PodResolver(KubeGateway gateway, PodOrder order, PipelineWriter writer)
{
    /// <summary>The pods of one workload or selector, in the order asked for.</summary>
    /// <exception cref="PyDebugException">There is none, or none that runs.</exception>
    public async Task<IReadOnlyList<PodChoice>> FindAsync(PodSource source, CancellationToken ct)
    {
        string ns = source.Namespace ?? gateway.DefaultNamespace;
        string? where = source.AllNamespaces ? null : ns;
        string what = source.Describe(gateway.DefaultNamespace);
        PodTarget? target = source.Target(gateway.DefaultNamespace);
        Workload? workload = source.Kind is WorkloadKind kind
            ? await gateway.GetWorkloadAsync(kind, ns, source.Name, ct).ConfigureAwait(false)
            : null;
        IReadOnlyList<PodChoice> pods;
        try
        {
            pods = await gateway.ListPodsAsync(
                where,
                workload is null ? source.Selector : workload.Selector,
                pod => workload is null || workload.Controls(pod) ? PodChoice.Of(pod, source.ContainerName) : null,
                ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (source.Selector is not null && e.StatusCode == 400)
        {
            throw ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                $"-LabelSelector '{source.Selector}' is none that the server understands: {e.ServerMessage}.",
                detail: new Dictionary<string, string>
                {
                    ["advice"] = "It is written as kubectl's -l: app=backend,tier!=cache. Nothing was changed.",
                });
        }

        if (pods.Count == 0)
        {
            throw ErrorFactory.Local(
                Causes.NoPodMatches,
                source.Selector is null ? $"{what} has no pod." : $"{what} matches no pod.",
                target,
                source.Selector is null
                    ? new Dictionary<string, string> { ["advice"] = "Scale it up first. Nothing was changed." }
                    : new Dictionary<string, string>
                    {
                        ["advice"] = "Check the labels (kubectl get pod --show-labels), -Namespace and -Context. "
                            + "Nothing was changed.",
                    });
        }

        List<PodChoice> fit = [.. pods.Where(p => p.Hindrance is null)];
        string hindrances = Hindrances(pods);
        if (fit.Count == 0)
        {
            Dictionary<string, string> detail = pods.Any(p => p.Hindrance == "Pending") ? new() { ["pending"] = "" }
                : [];
            throw ErrorFactory.Local(
                Causes.NoRunningPod,
                $"{what} has no running pod: of {pods.Count} {(pods.Count == 1 ? "pod" : "pods")}, {hindrances}.",
                target,
                detail);
        }

        IReadOnlyList<PodChoice> chosen = order.Choose(fit);
        if (chosen.Count < pods.Count)
        {
            int others = fit.Count - chosen.Count;
            string[] parts = [others > 0 ? $"{others} by {order.Names}" : "", hindrances];
            writer.Warn(
                $"{what}: {chosen.Count} of {pods.Count} pods {(chosen.Count == 1 ? "is" : "are")} taken; left out: "
                + $"{string.Join(", ", parts.Where(p => p.Length > 0))}.");
        }

        return chosen;
    }

    /// <summary>Why some cannot be debugged now, as <c>2 are Pending, 1 is being deleted</c>.</summary>
    private static string Hindrances(IReadOnlyList<PodChoice> pods)
        => string.Join(
            ", ",
            pods.Where(p => p.Hindrance is not null)
                .GroupBy(p => p.Hindrance)
                .OrderByDescending(g => g.Count())
                .ThenBy(g => g.Key, StringComparer.Ordinal)
                .Select(g => $"{g.Count()} {g.Key}"));
}
