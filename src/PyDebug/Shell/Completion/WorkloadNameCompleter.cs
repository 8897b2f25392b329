using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;

namespace PyDebug.Completion;

/// <summary>Completes the workloads of the parameter's kind.</summary>
internal sealed class WorkloadNameCompleter : LiveCompleter
{
    private protected override async Task<IReadOnlyList<Offer>> AskAsync(
        KubeGateway gateway,
        IDictionary parameters,
        CancellationToken ct)
    {
        if (WorkloadKind.Find(ParameterName) is not WorkloadKind kind)
        {
            return [];
        }

        string ns = Text(parameters, "Namespace", "Ns", "n") ?? gateway.DefaultNamespace;
        IReadOnlyList<string> names = await gateway.ListWorkloadsAsync(kind, ns, ct).ConfigureAwait(false);
        return [.. names.Select(n => new Offer(n, kind.Kind))];
    }
}
