using System;
using System.Collections.Generic;
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
    [Alias("Ns")]
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
    protected override void EndProcessing()
    {
        if (AllNamespaces && Namespace is not null)
        {
            WriteError(ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                "-AllNamespaces cannot be combined with -Namespace.",
                detail: new Dictionary<string, string> { ["advice"] = "Leave out one of them." }).ErrorRecord);
            return;
        }

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
            await WriteAsync(gateway, pod, writer, ct).ConfigureAwait(false);
            return;
        }

        foreach (PodInfo pod in await gateway.ListPodsAsync(ns, ct).ConfigureAwait(false))
        {
            if (request.PodName.Length == 0 || pod.Reference.Name.Equals(request.PodName, StringComparison.Ordinal))
            {
                await WriteAsync(gateway, pod, writer, ct).ConfigureAwait(false);
            }
        }
    }

    private async Task WriteAsync(KubeGateway gateway, PodInfo pod, PipelineWriter writer, CancellationToken ct)
    {
        foreach (DebugContainerInfo container in gateway.FindDebugContainers(pod))
        {
            await writer.WriteObjectAsync(Sessions.From(container, pod, Settings), ct).ConfigureAwait(false);
        }
    }
}
