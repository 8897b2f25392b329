using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;

namespace PyDebug.Completion;

/// <summary>Completes the pods of the namespace.</summary>
internal sealed class PodNameCompleter : LiveCompleter
{
    private protected override async Task<IReadOnlyList<Offer>> AskAsync(
        KubeGateway gateway,
        IDictionary parameters,
        CancellationToken ct)
    {
        string ns = Text(parameters, "Namespace", "Ns") ?? gateway.DefaultNamespace;
        IReadOnlyList<PodInfo> pods = await gateway.ListPodsAsync(ns, ct).ConfigureAwait(false);
        return
        [
            .. pods.Select(p => new Offer(
                p.Reference.Name,
                $"{p.Phase}: {string.Join(", ", p.Containers.Select(c => c.Name))}")),
        ];
    }
}
