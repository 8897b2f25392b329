using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;

namespace PyDebug.Completion;

/// <summary>Completes the containers of the pod that was named.</summary>
internal sealed class ContainerNameCompleter : LiveCompleter
{
    private protected override async Task<IReadOnlyList<Offer>> AskAsync(
        KubeGateway gateway,
        IDictionary parameters,
        CancellationToken ct)
    {
        if (Text(parameters, "PodName", "Name", "Pod") is not string name)
        {
            return [];
        }

        string ns = Text(parameters, "Namespace", "Ns", "n") ?? gateway.DefaultNamespace;
        PodInfo pod = await gateway.GetPodAsync(ns, name, ct).ConfigureAwait(false);
        return [.. pod.Containers.Concat(pod.InitContainers).Select(c => new Offer(c.Name, c.Image))];
    }
}
