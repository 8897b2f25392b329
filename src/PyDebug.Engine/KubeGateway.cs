using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>The module's only way to Kubernetes. Safe for use by several threads.</summary>
internal sealed class KubeGateway : IDisposable
{
    private readonly Transport _transport;
    private readonly PodApi _pods;
    private readonly AgentRunner _agents;

    private KubeGateway(ServerSettings settings, AgentBundle bundle, AgentTiming timing)
    {
        _transport = new Transport(settings);
        _pods = new PodApi(new RestClient(_transport));
        _agents = new AgentRunner(new ExecConnector(_transport), bundle, timing);
    }

    /// <summary>Namespace of the context or service account, else <c>default</c>.</summary>
    public string DefaultNamespace => _transport.Settings.Namespace;

    /// <summary>Address of the API server.</summary>
    public string Server => _transport.Settings.Server.AbsoluteUri;

    /// <summary>Reads the configuration. Nothing is sent.</summary>
    public static KubeGateway Connect(ConnectionOptions options)
        => Connect(options, AgentBundle.Installed(), new AgentTiming());

    /// <summary>The same with an agent from elsewhere and other times.</summary>
    public static KubeGateway Connect(ConnectionOptions options, AgentBundle bundle, AgentTiming timing)
        => new(ConnectionResolver.Resolve(options), bundle, timing);

    /// <summary>Reads one pod.</summary>
    public Task<PodInfo> GetPodAsync(string ns, string name, CancellationToken ct) => _pods.GetAsync(ns, name, ct);

    /// <summary>Lists the pods of a namespace, or of all when it is null.</summary>
    public Task<IReadOnlyList<PodInfo>> ListPodsAsync(string? ns, CancellationToken ct) => _pods.ListAsync(ns, ct);

    /// <summary>Whether we may do something with pods or a subresource; null when the server does not say.</summary>
    public Task<bool?> MayAsync(string ns, string verb, string? subresource, string? podName, CancellationToken ct)
        => _pods.MayAsync(ns, verb, subresource, podName, ct);

    /// <summary>Finds or adds a debug container, waits until it runs and checks that it sees the target.</summary>
    public Task<DebugContainerInfo> StartDebugContainerAsync(DebugContainerRequest request, CancellationToken ct)
        => new DebugContainerStarter(_pods, _agents, request).StartAsync(ct);

    /// <summary>The debug containers of ours in a pod, oldest first.</summary>
    public IReadOnlyList<DebugContainerInfo> FindDebugContainers(PodInfo pod) => DebugContainerReader.Find(pod);

    /// <summary>Runs one request in a debug container.</summary>
    public async Task<AgentOutcome> RunAgentAsync(
        PodReference pod,
        string debugContainer,
        string python,
        AgentRequest request,
        Func<AgentFrame, CancellationToken, ValueTask> onFrame,
        CancellationToken ct)
    {
        try
        {
            return await _agents.RunAsync(pod, debugContainer, python, request, onFrame, ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (GoneDiagnosis.MayBeGone(e) && !ct.IsCancellationRequested)
        {
            throw await GoneDiagnosis.ExplainAsync(_pods, pod, debugContainer, e, ct).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _transport.Dispose();
}
