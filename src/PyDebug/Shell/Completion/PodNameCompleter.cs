using System.Collections;
using System.Collections.Generic;
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
        string ns = Text(parameters, "Namespace", "Ns", "n") ?? gateway.DefaultNamespace;
        return await gateway.ListPodsAsync(
            ns, selector: null, p => new Offer(p.Reference.Name, $"{p.Phase}: {p.ContainerNames}"), ct)
            .ConfigureAwait(false);
    }
}
