using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;

namespace PyDebug.Completion;

/// <summary>Completes the namespaces that have pods.</summary>
internal sealed class NamespaceCompleter : LiveCompleter
{
    private protected override async Task<IReadOnlyList<Offer>> AskAsync(
        KubeGateway gateway,
        IDictionary parameters,
        CancellationToken ct)
    {
        IReadOnlyList<PodInfo> pods = await gateway.ListPodsAsync(null, ct).ConfigureAwait(false);
        return
        [
            .. pods.GroupBy(p => p.Reference.Namespace)
                .OrderBy(g => g.Key)
                .Select(g => new Offer(g.Key, $"{g.Count()} pods")),
        ];
    }
}
