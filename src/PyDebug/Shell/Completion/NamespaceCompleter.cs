using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;

namespace PyDebug.Completion;

/// <summary>Completes the namespaces; where they may not be listed, those that have pods.</summary>
internal sealed class NamespaceCompleter : LiveCompleter
{
    private protected override async Task<IReadOnlyList<Offer>> AskAsync(
        KubeGateway gateway,
        IDictionary parameters,
        CancellationToken ct)
    {
        if (await gateway.ListNamespacesAsync(ct).ConfigureAwait(false) is IReadOnlyList<string> all)
        {
            return [.. all.Select(n => new Offer(n, "namespace"))];
        }

        IReadOnlyList<string> namespaces = await gateway.ListPodsAsync(
            ns: null, selector: null, p => p.Reference.Namespace, ct).ConfigureAwait(false);
        return
        [
            .. namespaces.GroupBy(n => n)
                .OrderBy(g => g.Key)
                .Select(g => new Offer(g.Key, $"{g.Count()} pods")),
        ];
    }
}
