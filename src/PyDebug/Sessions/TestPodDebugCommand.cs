using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Completion;
using PyDebug.Engine;

namespace PyDebug.Commands;

/// <summary>
/// Says what would stop a question in a pod, before anything changes: what it sends reads, tries as a dry run, or asks
/// for permissions.
/// </summary>
[Cmdlet(VerbsDiagnostic.Test, "PodDebug", DefaultParameterSetName = InputSet)]
[OutputType(typeof(PodDebugCheck), typeof(bool))]
public sealed class TestPodDebugCommand : PodCommandBase
{
    private volatile bool _fails;

    /// <summary>The questions that are to be asked; without it a session alone is looked at.</summary>
    [Parameter]
    [ValidateSet("Stack", "Time", "PySpy", "Memray", "Bpftrace", "Heap")]
    public string[]? For { get; set; }

    /// <summary>The debug container's image, as Start-PodDebug takes it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ImageCompleter))]
    public string? Image { get; set; }

    /// <summary>When the image would be pulled.</summary>
    [Parameter]
    [ValidateSet("Always", "IfNotPresent", "Never")]
    public string? ImagePullPolicy { get; set; }

    /// <summary>What it is wanted for, where a policy file asks for that.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Reason { get; set; }

    /// <summary>Writes one value alone: whether no check of any pod is Fail.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <summary>The most seconds that one pod's checks may take.</summary>
    [Parameter]
    [ValidateRange(1, 3600)]
    [Alias("Timeout")]
    public int TimeoutSeconds { get; set; } = 60;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (For is not null && !SecurityProfiles.ServesAll(For))
        {
            Refuse(
                "Get-MemrayReport enters no process from a privileged debug container, and bpftrace needs one: no "
                + "profile serves both.",
                "Test one -For each. Nothing was changed.");
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        Image ??= Environment.GetEnvironmentVariable("PYDEBUG_IMAGE") is { Length: > 0 } image ? image : null;
        IReadOnlyList<Question> questions =
            [.. (For ?? [""]).Distinct(StringComparer.OrdinalIgnoreCase).Select(Question.Find)];
        _fails = HasBadInput;
        if (HasSources)
        {
            RunConnected(async (gateways, writer, ct) =>
            {
                KubeGateway gateway = gateways.Get(Way);
                bool whole = await ForEachPodAsync(
                    gateway,
                    writer,
                    (request, stop) => TestAsync(gateways, request, questions, writer, stop),
                    ct).ConfigureAwait(false);
                _fails |= !whole;
                if (Quiet)
                {
                    await writer.WriteObjectAsync(!_fails, ct).ConfigureAwait(false);
                }
            });
        }
        else if (Quiet && HasBadInput)
        {
            WriteObject(false);
        }
    }

    private async Task TestAsync(
        GatewayPool gateways,
        StartRequest request,
        IReadOnlyList<Question> questions,
        PipelineWriter writer,
        CancellationToken ct)
    {
        KubeGateway gateway = gateways.Get(Named ?? request.Session?.Connection ?? Settings);
        PodExamination examination = new(gateway, request, questions, Wanted);
        List<PodDebugCheck> checks = [.. await examination.RunAsync(ct).ConfigureAwait(false)];
        if (request.Session is PodDebugSession session)
        {
            checks.AddRange(await LookAsync(gateways, gateway, session, questions, writer, ct).ConfigureAwait(false));
        }

        _fails |= checks.Any(c => c.Status == Finding.Fail);
        if (!Quiet)
        {
            await writer.WriteAllAsync(checks, ct).ConfigureAwait(false);
        }
    }

    /// <summary>What only the debug container knows.</summary>
    private async Task<IReadOnlyList<PodDebugCheck>> LookAsync(
        GatewayPool gateways,
        KubeGateway gateway,
        PodDebugSession session,
        IReadOnlyList<Question> questions,
        PipelineWriter writer,
        CancellationToken ct)
    {
        List<PodDebugCheck> checks = [];
        PodWork work = new(session, Named ?? session.Connection ?? Settings);
        work.AddAll();
        AgentRun run = new(
            gateway, work, writer, MyInvocation.MyCommand.Name, TimeSpan.FromSeconds(TimeoutSeconds));
        await run.AskAsync(
            Operations.Examine,
            new JsonObject(),
            (item, _) =>
            {
                checks.AddRange(
                    NodeFindings.Read(item, questions).Select(f => PodExamination.Record(f, session.Target())));
                return ValueTask.FromResult(true);
            },
            ct,
            onFailure: (_, failure) =>
            {
                checks.Add(PodExamination.Failed("Session", failure, session.Target()));
                return true;
            }).ConfigureAwait(false);
        return checks;
    }

    private DebugContainerRequest Wanted(PodInfo pod, ContainerInfo container, string? profile) => new()
    {
        Pod = pod.Reference,
        TargetContainer = container.Name,
        Profile = profile ?? SecurityProfiles.General,
        ProfileNamed = profile is not null,
        Image = Image,
        ImagePullPolicy = ImagePullPolicy,
        Reason = Reason,
        DryRunOnly = true,
        AllowLowMemory = true,
        Timeout = TimeSpan.FromSeconds(TimeoutSeconds),
    };
}
