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

/// <summary>Lists the debug containers that PyDebug added, from the API alone.</summary>
[Cmdlet(VerbsCommon.Get, "PodDebug")]
[OutputType(typeof(PodDebugSession))]
public sealed class GetPodDebugCommand : KubernetesCommandBase
{
    private readonly List<StartRequest> _requests = [];

    /// <summary>The pods to look at; without it all of the namespace.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "Pod")]
    [ArgumentCompleter(typeof(PodNameCompleter))]
    public string[]? PodName { get; set; }

    /// <summary>The namespace; without it the context's.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Ns", "n")]
    [ArgumentCompleter(typeof(NamespaceCompleter))]
    public string? Namespace { get; set; }

    /// <summary>Looks at the pods of all namespaces.</summary>
    [Parameter]
    [Alias("A")]
    public SwitchParameter AllNamespaces { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (string name in PodName ?? [""])
        {
            _requests.Add(new StartRequest(Namespace, name, containerName: null));
        }
    }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (AllNamespaces && Namespace is not null)
        {
            Refuse("-AllNamespaces cannot be combined with -Namespace.", "Leave out one of them.");
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        RunConnected((gateways, writer, ct) =>
        {
            KubeGateway gateway = gateways.Get(Settings);
            return ForEachAsync(
                _requests,
                throttleLimit: 1,
                writer,
                request => request.Target,
                (request, stop) => ListAsync(gateway, request, writer, stop),
                ct);
        });
    }

    private async Task ListAsync(KubeGateway gateway, StartRequest request, PipelineWriter writer, CancellationToken ct)
    {
        string? ns = AllNamespaces ? null : request.Namespace ?? gateway.DefaultNamespace;
        if (ns is not null && request.PodName.Length > 0)
        {
            request.Target = new PodTarget(ns, request.PodName);
            PodInfo pod = await gateway.GetPodAsync(ns, request.PodName, ct).ConfigureAwait(false);
            foreach (PodDebugSession session in SessionsIn(gateway, pod))
            {
                await writer.WriteObjectAsync(session, ct).ConfigureAwait(false);
            }

            return;
        }

        IReadOnlyList<IReadOnlyList<PodDebugSession>> found = await gateway.ListPodsAsync(
            ns,
            selector: null,
            pod => request.PodName.Length == 0 || pod.Reference.Name.Equals(request.PodName, StringComparison.Ordinal)
                ? SessionsIn(gateway, pod)
                : null,
            ct).ConfigureAwait(false);
        foreach (PodDebugSession session in found.SelectMany(s => s))
        {
            await writer.WriteObjectAsync(session, ct).ConfigureAwait(false);
        }
    }

    private List<PodDebugSession> SessionsIn(KubeGateway gateway, PodInfo pod)
        => [.. gateway.FindDebugContainers(pod).Select(c => Sessions.From(c, pod, Settings))];
}
