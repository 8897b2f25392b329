using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>
/// Nodes that a service stands for, as Azure's container instances do: it takes no debug container in.
/// </summary>
internal static class VirtualNode
{
    /// <summary>The fact that names such a node.</summary>
    public const string Detail = "virtualNode";

    private const string Taint = "virtual-kubelet.io/provider";

    /// <summary>Whether the pod may be on one: nothing comes there that does not tolerate its taint.</summary>
    public static bool MayHold(PodInfo pod)
        => KubeJson.Objects(pod.Raw, "spec", "tolerations").Any(
            t => KubeJson.Text(t, "key") is var key && (key == Taint || string.IsNullOrEmpty(key)));

    /// <summary>Refuses a pod on such a node. Where the node may not be read, nothing is known.</summary>
    /// <exception cref="EngineException">The pod is on one.</exception>
    public static async Task CheckAsync(PodApi api, PodInfo pod, CancellationToken ct)
    {
        if (MayHold(pod) && pod.NodeName is { Length: > 0 } name
            && await api.NodeAsync(name, ct).ConfigureAwait(false) is JsonObject node && IsOne(node))
        {
            throw new EngineException(
                Causes.EphemeralContainersUnsupported,
                $"Pod '{pod.Reference}' is on virtual node '{name}', which starts no debug containers.")
            {
                Detail = new Dictionary<string, string> { [Detail] = name },
            };
        }
    }

    private static bool IsOne(JsonObject node)
        => KubeJson.Text(node, "metadata", "labels", "type") == "virtual-kubelet"
            || KubeJson.Objects(node, "spec", "taints").Any(t => KubeJson.Text(t, "key") == Taint);
}
