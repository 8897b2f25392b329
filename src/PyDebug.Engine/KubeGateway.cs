using System;
using System.Collections.Generic;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>The module's only way to Kubernetes. Safe for use by several threads.</summary>
internal sealed class KubeGateway : IDisposable
{
    private readonly Transport _transport;
    private readonly RestClient _rest;
    private readonly PodApi _pods;
    private readonly AgentRunner _agents;

    private readonly TeamPolicy _policy;

    private KubeGateway(ServerSettings settings, TeamPolicy policy, AgentBundle bundle, AgentTiming timing)
    {
        _policy = policy;
        _transport = new Transport(settings);
        _rest = new RestClient(_transport);
        _pods = new PodApi(_rest);
        _agents = new AgentRunner(new ExecConnector(_transport), bundle, timing);
    }

    /// <summary>Namespace of the context or service account, else <c>default</c>.</summary>
    public string DefaultNamespace => _transport.Settings.Namespace;

    /// <summary>Address of the API server.</summary>
    public string Server => _transport.Settings.Server.AbsoluteUri;

    /// <summary>Reads the configuration. Nothing is sent.</summary>
    public static KubeGateway Connect(ConnectionOptions options)
        => Connect(options, AgentBundle.Installed, new AgentTiming());

    /// <summary>The same with an agent from elsewhere and other times.</summary>
    public static KubeGateway Connect(ConnectionOptions options, AgentBundle bundle, AgentTiming timing)
        => new(ConnectionResolver.Resolve(options), options.Policy ?? TeamPolicy.Installed(), bundle, timing);

    /// <summary>Looks at how the server is to be reached. Nothing is sent, and no login helper is run.</summary>
    /// <exception cref="EngineException">It cannot be so.</exception>
    public static void Check(ConnectionOptions options) => ConnectionResolver.Resolve(options);

    /// <summary>Looks at a partial container before a pod is known.</summary>
    /// <exception cref="EngineException">It is one that is refused.</exception>
    public static void CheckCustom(string json)
    {
        if (CustomContainer.Parse(json) is JsonObject custom)
        {
            CustomContainer.Merge([], custom);
        }
    }

    /// <summary>Reads one pod.</summary>
    public Task<PodInfo> GetPodAsync(string ns, string name, CancellationToken ct) => _pods.GetAsync(ns, name, ct);

    /// <summary>Reads one pod, and makes sure that it is still the same where the reference has its UID.</summary>
    public Task<PodInfo> GetPodAsync(PodReference pod, CancellationToken ct) => _pods.GetAsync(pod, ct);

    /// <summary>
    /// Lists the pods of a namespace, or of all when it is null, and keeps of each what is wanted alone.
    /// </summary>
    public Task<IReadOnlyList<T>> ListPodsAsync<T>(
        string? ns, string? selector, Func<PodInfo, T?> keep, CancellationToken ct)
        where T : class
        => _pods.ListAsync(ns, selector, keep, ct);

    /// <summary>The names of the workloads of a kind, a page of them.</summary>
    public Task<IReadOnlyList<string>> ListWorkloadsAsync(WorkloadKind kind, string ns, CancellationToken ct)
        => _pods.ListWorkloadsAsync(kind, ns, ct);

    /// <summary>The names of the namespaces, a page of them; null where they may not be listed.</summary>
    public Task<IReadOnlyList<string>?> ListNamespacesAsync(CancellationToken ct) => _pods.ListNamespacesAsync(ct);

    /// <summary>The contexts of a kubeconfig, or of those that kubectl would read.</summary>
    public static IReadOnlyList<string> Contexts(string? kubeconfig) => Kubeconfig.Load(kubeconfig).Contexts;

    /// <summary>Reads a workload.</summary>
    public Task<Workload> GetWorkloadAsync(WorkloadKind kind, string ns, string name, CancellationToken ct)
        => _pods.GetWorkloadAsync(kind, ns, name, ct);

    /// <summary>The pod that took the place of one that is gone; null where there is none.</summary>
    public Task<string?> FindSuccessorAsync(string ns, string name, CancellationToken ct)
        => Successors.FindAsync(_pods, ns, name, pod: null, ct);

    /// <summary>
    /// The other pods of the same owner that run or will, newest first; of the same name where it keeps names.
    /// </summary>
    public Task<IReadOnlyList<PodInfo>> ListSiblingsAsync(PodInfo pod, CancellationToken ct)
        => Successors.SiblingsAsync(_pods, pod, ct);

    /// <summary>Whether we may do something with pods or a subresource; null when the server does not say.</summary>
    public Task<bool?> MayAsync(string ns, string verb, string? subresource, string? podName, CancellationToken ct)
        => _pods.MayAsync(ns, verb, subresource, podName, ct);

    /// <summary>Finds or adds a debug container, waits until it runs and checks that it sees the target.</summary>
    public async Task<DebugContainerInfo> StartDebugContainerAsync(DebugContainerRequest request, CancellationToken ct)
    {
        // Before the start's own clock runs.
        await _transport.LogInAsync(ct).ConfigureAwait(false);
        return await new DebugContainerStarter(_pods.Within(request.Timeout), _agents, _policy, request)
            .StartAsync(ct).ConfigureAwait(false);
    }

    /// <summary>Looks at a request before anything is sent; says whether it is a privileged one.</summary>
    /// <exception cref="EngineException">It is one that is refused.</exception>
    public bool CheckRequest(DebugContainerRequest request, PodInfo pod, ContainerInfo target)
    {
        DebugContainerPlan plan = new(request, pod, target, _agents.Bundle.Keeper);
        plan.Check(_policy);
        return plan.IsPrivileged;
    }

    /// <summary>Refuses a cmdlet that the policy file switches off.</summary>
    public void CheckCmdlet(string name) => _policy.CheckCmdlet(name);

    /// <summary>The server's version and clock.</summary>
    public Task<IReadOnlyList<Finding>> CheckServerAsync(CancellationToken ct)
        => ServerChecks.ServerAsync(_rest.Briefly(), ct);

    /// <summary>Each permission that a session takes.</summary>
    public Task<IReadOnlyList<Finding>> CheckRightsAsync(string ns, string podName, CancellationToken ct)
        => ServerChecks.RightsAsync(_pods, ns, podName, ct);

    /// <summary>What a server-side dry run makes of a request.</summary>
    /// <exception cref="EngineException">It is refused.</exception>
    public Task<ProfileChoice> TryAsync(
        DebugContainerRequest request, PodInfo pod, ContainerInfo target, CancellationToken ct)
        => new ProfileChooser(
            _pods, _policy, request, pod, new DebugContainerPlan(request, pod, target, _agents.Bundle.Keeper))
            .ChooseAsync(ct);

    /// <summary>Bytes that the pod uses; null where that may not be read.</summary>
    public Task<long?> MemoryUsedAsync(PodInfo pod, CancellationToken ct) => _pods.MemoryUsedAsync(pod, ct);

    /// <summary>The debug containers that carry our mark in a pod, oldest first.</summary>
    public IReadOnlyList<DebugContainerInfo> FindDebugContainers(PodInfo pod)
        => DebugContainerReader.Find(pod, _agents.Bundle.Keeper);

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
            EngineException why = await GoneDiagnosis.ExplainAsync(
                _pods, pod, debugContainer, AgentModules.NeedOf(request), e, ct).ConfigureAwait(false);
            if (why.Cause != e.Cause)
            {
                // What ended took with it all that was at work there.
                why.RemoteState = RemoteStates.Stopped;
            }

            throw why.At(e.Phase, e.RemoteState);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _transport.Dispose();
}
