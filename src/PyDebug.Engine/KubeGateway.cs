using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>The module's only way to Kubernetes. Safe for use by several threads.</summary>
internal sealed class KubeGateway : IDisposable
{
    private KubeGateway()
    {
    }

    /// <summary>Namespace of the context or service account, else <c>default</c>.</summary>
    public string DefaultNamespace => throw new NotImplementedException();

    /// <summary>Address of the API server.</summary>
    public string Server => throw new NotImplementedException();

    /// <summary>Reads the configuration. Nothing is sent.</summary>
    public static KubeGateway Connect(ConnectionOptions options) => throw new NotImplementedException();

    /// <summary>Reads one pod.</summary>
    public Task<PodInfo> GetPodAsync(string ns, string name, CancellationToken ct)
        => throw new NotImplementedException();

    /// <summary>Lists the pods of a namespace, or of all when it is null.</summary>
    public Task<IReadOnlyList<PodInfo>> ListPodsAsync(string? ns, CancellationToken ct)
        => throw new NotImplementedException();

    /// <summary>Finds or adds a debug container, waits until it runs and checks that it sees the target.</summary>
    public Task<DebugContainerInfo> StartDebugContainerAsync(DebugContainerRequest request, CancellationToken ct)
        => throw new NotImplementedException();

    /// <summary>The debug containers of ours in a pod, oldest first.</summary>
    public IReadOnlyList<DebugContainerInfo> FindDebugContainers(PodInfo pod) => throw new NotImplementedException();

    /// <summary>Runs one request in a debug container.</summary>
    public Task<AgentOutcome> RunAgentAsync(
        PodReference pod,
        string debugContainer,
        string python,
        AgentRequest request,
        Func<AgentFrame, CancellationToken, ValueTask> onFrame,
        CancellationToken ct)
        => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
