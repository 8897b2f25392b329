using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Completion;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>Base of cmdlets that take pods: by name, from the pipeline, or of a workload or label selector.</summary>
public abstract class PodCommandBase : KubernetesCommandBase
{
    /// <summary>The parameter set for names of pods.</summary>
    protected const string PodSet = "Pod";

    /// <summary>The parameter set for what the pipeline brings.</summary>
    protected const string InputSet = "InputObject";

    /// <summary>The parameter set for Deployments.</summary>
    protected const string DeploymentSet = "Deployment";

    /// <summary>The parameter set for StatefulSets.</summary>
    protected const string StatefulSetSet = "StatefulSet";

    /// <summary>The parameter set for DaemonSets.</summary>
    protected const string DaemonSetSet = "DaemonSet";

    /// <summary>The parameter set for Jobs.</summary>
    protected const string JobSet = "Job";

    /// <summary>The parameter set for a label selector.</summary>
    protected const string SelectorSet = "LabelSelector";

    private readonly List<PodSource> _sources = [];

    /// <summary>The pods: their names, also as <c>pod/NAME</c>.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = PodSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "Pod")]
    [ArgumentCompleter(typeof(PodNameCompleter))]
    public string[] PodName { get; set; } = [];

    /// <summary>
    /// Pods or workloads: names, sessions, targets of errors, or objects as <c>kubectl get -o json |
    /// ConvertFrom-Json</c>
    /// has them, a list's items one by one.
    /// </summary>
    [Parameter(Mandatory = true, ParameterSetName = InputSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public PSObject InputObject { get; set; } = new();

    /// <summary>Deployments, whose running pods are taken.</summary>
    [Parameter(Mandatory = true, ParameterSetName = DeploymentSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(WorkloadNameCompleter))]
    public string[] Deployment { get; set; } = [];

    /// <summary>StatefulSets, whose running pods are taken.</summary>
    [Parameter(Mandatory = true, ParameterSetName = StatefulSetSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(WorkloadNameCompleter))]
    public string[] StatefulSet { get; set; } = [];

    /// <summary>DaemonSets, whose running pods are taken.</summary>
    [Parameter(Mandatory = true, ParameterSetName = DaemonSetSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(WorkloadNameCompleter))]
    public string[] DaemonSet { get; set; } = [];

    /// <summary>Jobs, whose running pods are taken.</summary>
    [Parameter(Mandatory = true, ParameterSetName = JobSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(WorkloadNameCompleter))]
    public string[] Job { get; set; } = [];

    /// <summary>A label selector as kubectl's -l; the running pods that it matches are taken.</summary>
    [Parameter(Mandatory = true, ParameterSetName = SelectorSet)]
    [ValidateNotNullOrEmpty]
    [Alias("Selector", "l")]
    public string? LabelSelector { get; set; }

    /// <summary>Takes the selector's pods of all namespaces.</summary>
    [Parameter(ParameterSetName = SelectorSet)]
    [Alias("A")]
    public SwitchParameter AllNamespaces { get; set; }

    /// <summary>The pods' namespace; without it the object's, else the context's.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("Ns", "n")]
    [ArgumentCompleter(typeof(NamespaceCompleter))]
    public string? Namespace { get; set; }

    /// <summary>The application's container, or an init container; without it the pod's default or only one.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("Container", "Target", "c")]
    [ArgumentCompleter(typeof(ContainerNameCompleter))]
    public string? ContainerName { get; set; }

    /// <summary>The most pods of each workload or selector.</summary>
    [Parameter(ParameterSetName = DeploymentSet)]
    [Parameter(ParameterSetName = StatefulSetSet)]
    [Parameter(ParameterSetName = DaemonSetSet)]
    [Parameter(ParameterSetName = JobSet)]
    [Parameter(ParameterSetName = SelectorSet)]
    [Parameter(ParameterSetName = InputSet)]
    [ValidateRange(1, int.MaxValue)]
    public int First { get; set; }

    /// <summary>Which pods come first: Newest, Oldest or Name.</summary>
    [Parameter(ParameterSetName = DeploymentSet)]
    [Parameter(ParameterSetName = StatefulSetSet)]
    [Parameter(ParameterSetName = DaemonSetSet)]
    [Parameter(ParameterSetName = JobSet)]
    [Parameter(ParameterSetName = SelectorSet)]
    [Parameter(ParameterSetName = InputSet)]
    [ValidateSet("Newest", "Oldest", "Name")]
    public string SortBy { get; set; } = "Newest";

    /// <summary>Takes one pod on each node.</summary>
    [Parameter(ParameterSetName = DeploymentSet)]
    [Parameter(ParameterSetName = StatefulSetSet)]
    [Parameter(ParameterSetName = DaemonSetSet)]
    [Parameter(ParameterSetName = JobSet)]
    [Parameter(ParameterSetName = SelectorSet)]
    [Parameter(ParameterSetName = InputSet)]
    public SwitchParameter OnePerNode { get; set; }

    /// <summary>The most pods that are worked on at the same time.</summary>
    [Parameter]
    [ValidateRange(1, 256)]
    public int ThrottleLimit { get; set; } = 8;

    /// <summary>Whether there is anything to do.</summary>
    private protected bool HasSources => _sources.Count > 0;

    /// <summary>The parameters' way to the server, else that of a session that was given, else kubectl's.</summary>
    private protected ConnectionSettings Way
        => Named ?? _sources.Select(s => s.Session?.Connection).FirstOrDefault(c => c is not null) ?? Settings;

    /// <summary>Looks at the parameters.</summary>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        foreach (string name in new[] { nameof(Namespace), nameof(ContainerName) })
        {
            if (MyInvocation.BoundParameters.TryGetValue(name, out object? value) && value is null or "")
            {
                Refuse($"-{name} is empty.", "Leave it out, or name one.");
            }
        }

        if (AllNamespaces && Namespace is not null)
        {
            Refuse("-AllNamespaces cannot be combined with -Namespace.", "Leave out one of them.");
        }
    }

    /// <summary>Notes what the pipeline brings.</summary>
    protected override void ProcessRecord()
    {
        // What a record has no value for comes as an empty text.
        string? ns = string.IsNullOrEmpty(Namespace) ? null : Namespace;
        string? container = string.IsNullOrEmpty(ContainerName) ? null : ContainerName;
        switch (ParameterSetName)
        {
            case PodSet:
                Note(PodName, name => [PodSource.Parse(name, ns, container)]);
                break;
            case InputSet:
                Note([InputObject], value => KubernetesObject.Read(value, ns, container));
                break;
            case SelectorSet:
                _sources.Add(new PodSource
                {
                    Namespace = ns, ContainerName = container, Selector = LabelSelector, AllNamespaces = AllNamespaces,
                });
                break;
            default:
                (WorkloadKind kind, string[] names) = ParameterSetName switch
                {
                    DeploymentSet => (WorkloadKind.Deployment, Deployment),
                    StatefulSetSet => (WorkloadKind.StatefulSet, StatefulSet),
                    DaemonSetSet => (WorkloadKind.DaemonSet, DaemonSet),
                    _ => (WorkloadKind.Job, Job),
                };
                _sources.AddRange(names.Select(
                    n => new PodSource { Namespace = ns, ContainerName = container, Kind = kind, Name = n }));
                break;
        }
    }

    /// <summary>Whether something of the pipeline or the parameters was nothing that has pods.</summary>
    private protected bool HasBadInput { get; private set; }

    /// <summary>
    /// Finds the pods, and does the work for each; one that fails is one error, and the others go on. Says whether none
    /// failed.
    /// </summary>
    private protected async Task<bool> ForEachPodAsync(
        KubeGateway gateway,
        PipelineWriter writer,
        Func<StartRequest, CancellationToken, Task> work,
        CancellationToken ct)
    {
        int done = 0;
        int sought = _sources.Where(s => s.Kind is not null || s.Selector is not null).Distinct().Count();
        (List<StartRequest> requests, int found) = await ResolveAsync(gateway, writer, ct).ConfigureAwait(false);
        await ForEachAsync(
            requests,
            ThrottleLimit,
            writer,
            request => request.Target,
            async (request, stop) =>
            {
                await work(request, stop).ConfigureAwait(false);
                Interlocked.Increment(ref done);
            },
            ct).ConfigureAwait(false);
        return found == sought && done == requests.Count;
    }

    private void Note<T>(IEnumerable<T> values, Func<T, IEnumerable<PodSource>> read)
    {
        foreach (T value in values)
        {
            try
            {
                _sources.AddRange(read(value));
            }
            catch (PyDebugException e)
            {
                HasBadInput = true;
                WriteError(e.ErrorRecord);
            }
        }
    }

    private async Task<(List<StartRequest> Requests, int Found)> ResolveAsync(
        KubeGateway gateway, PipelineWriter writer, CancellationToken ct)
    {
        bool mayLeaveOut = First > 0 || OnePerNode || MyInvocation.BoundParameters.ContainsKey(nameof(SortBy));
        PodOrder order = new(SortBy, First > 0 ? First : null, OnePerNode);
        PodResolver resolver = new(gateway, order, writer);
        Dictionary<PodSource, IReadOnlyList<PodChoice>> found = [];
        await ForEachAsync(
            _sources.Where(s => s.Kind is not null || s.Selector is not null).Distinct(),
            ThrottleLimit,
            writer,
            source => source.Target(gateway.DefaultNamespace),
            async (source, stop) =>
            {
                IReadOnlyList<PodChoice> pods = await resolver.FindAsync(source, stop).ConfigureAwait(false);
                lock (found)
                {
                    found.Add(source, pods);
                }
            },
            ct).ConfigureAwait(false);
        HashSet<string>? chosen = null;
        List<PodChoice> objects = [.. _sources.Select(s => s.Pod).OfType<PodChoice>()];
        if (mayLeaveOut && objects.Count > 0)
        {
            chosen = [.. order.Choose(objects).Select(p => p.Reference.Uid)];
            if (chosen.Count < objects.Count)
            {
                writer.Warn(
                    $"{chosen.Count} of {objects.Count} pods of the pipeline {(chosen.Count == 1 ? "is" : "are")} "
                    + $"taken; left out: {objects.Count - chosen.Count} by {order.Names}.");
            }
        }

        List<StartRequest> requests = [];
        HashSet<(string, string, string?)> known = [];
        foreach (PodSource source in _sources)
        {
            string ns = source.Namespace ?? gateway.DefaultNamespace;
            if (source.Kind is null && source.Selector is null)
            {
                if (source.Pod is null || chosen?.Contains(source.Pod.Reference.Uid) != false)
                {
                    requests.Add(new StartRequest(ns, source.Name, source.ContainerName, source.Pod?.Reference.Uid)
                    {
                        Session = source.Session,
                    });
                }

                continue;
            }

            // One pod may be of several selectors.
            foreach (PodReference pod in (found.GetValueOrDefault(source) ?? []).Select(p => p.Reference))
            {
                if (known.Add((pod.Namespace, pod.Name, source.ContainerName)))
                {
                    requests.Add(new StartRequest(pod.Namespace, pod.Name, source.ContainerName, pod.Uid));
                }
            }
        }

        return (requests, found.Count);
    }
}
