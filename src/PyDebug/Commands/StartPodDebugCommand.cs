using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Completion;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Adds a debug container to a pod, or finds the one that is already there, and writes a session for further cmdlets.
/// </summary>
[Cmdlet(VerbsLifecycle.Start, "PodDebug", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(PodDebugSession))]
public sealed class StartPodDebugCommand : KubernetesCommandBase
{
    private readonly List<StartRequest> _requests = [];

    private string? _customJson;

    private bool _refused;

    /// <summary>The pods to debug.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "Pod")]
    [ArgumentCompleter(typeof(PodNameCompleter))]
    public string[] PodName { get; set; } = [];

    /// <summary>The pods' namespace; without it the context's.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Ns")]
    [ArgumentCompleter(typeof(NamespaceCompleter))]
    public string? Namespace { get; set; }

    /// <summary>The application's container; without it the pod's default or only one.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Container", "Target")]
    [ArgumentCompleter(typeof(ContainerNameCompleter))]
    public string? ContainerName { get; set; }

    /// <summary>
    /// What the debug container may do, with kubectl debug's meaning; Trace is General with BPF and PERFMON. Without
    /// it General or, where admission refuses that, Restricted.
    /// </summary>
    [Parameter]
    [ValidateSet(
        SecurityProfiles.General,
        SecurityProfiles.Baseline,
        SecurityProfiles.Restricted,
        SecurityProfiles.NetAdmin,
        SecurityProfiles.SysAdmin,
        SecurityProfiles.Trace)]
    [Alias("Profile")]
    public string? SecurityProfile { get; set; }

    /// <summary>What the session is wanted for; picks the security profile.</summary>
    [Parameter]
    [ValidateSet("Stack", "Time", "PySpy", "Memray", "Bpftrace")]
    public string? For { get; set; }

    /// <summary>A partial container, as a hashtable or JSON, that is merged over the profile's.</summary>
    [Parameter]
    [ValidateNotNull]
    public object? Custom { get; set; }

    /// <summary>Environment variables of the debug container.</summary>
    [Parameter]
    [ValidateNotNull]
    public Hashtable? Environment { get; set; }

    /// <summary>
    /// The debug container's image; without it <c>$env:PYDEBUG_IMAGE</c> or the application's own. Needs Python 3.8 or
    /// later.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Image { get; set; }

    /// <summary>When the image is pulled; IfNotPresent by default.</summary>
    [Parameter]
    [ValidateSet("Always", "IfNotPresent", "Never")]
    public string? ImagePullPolicy { get; set; }

    /// <summary>The most seconds until the debug container runs.</summary>
    [Parameter]
    [ValidateRange(1, 3600)]
    [Alias("Timeout")]
    public int TimeoutSeconds { get; set; } = 120;

    /// <summary>The most pods that are started at the same time.</summary>
    [Parameter]
    [ValidateRange(1, 256)]
    public int ThrottleLimit { get; set; } = 8;

    /// <summary>Adds a new debug container although one that would do is there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        try
        {
            if (For is not null && SecurityProfile is not null)
            {
                throw ErrorFactory.Local(
                    LocalCause.ParameterInvalid,
                    "-For picks the security profile and cannot be combined with -SecurityProfile.",
                    detail: new Dictionary<string, string> { ["advice"] = "Leave out one of them." });
            }

            _customJson = Custom is null ? null : CustomContainer.ToJson(Custom);
        }
        catch (PyDebugException e)
        {
            _refused = true;
            WriteError(e.ErrorRecord);
        }
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (string name in PodName)
        {
            _requests.Add(new StartRequest(Namespace, name, ContainerName));
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (_requests.Count == 0 || _refused)
        {
            return;
        }

        Image ??= System.Environment.GetEnvironmentVariable("PYDEBUG_IMAGE") is { Length: > 0 } image ? image : null;
        RunConnected((gateways, writer, ct) =>
        {
            KubeGateway gateway = gateways.Get(Settings);
            return ForEachAsync(
                _requests,
                ThrottleLimit,
                writer,
                request => request.Target,
                (request, stop) => StartAsync(gateway, request, writer, stop),
                ct);
        });
    }

    private async Task StartAsync(
        KubeGateway gateway,
        StartRequest request,
        PipelineWriter writer,
        CancellationToken ct)
    {
        string ns = request.Namespace ?? gateway.DefaultNamespace;
        request.Target = new PodTarget(ns, request.PodName, request.ContainerName);
        PodInfo pod = await FindPodAsync(gateway, request.Target, ct).ConfigureAwait(false);
        ContainerInfo container = TargetContainer.Pick(pod, request.ContainerName, new PodTarget(ns, request.PodName));
        request.Target = new PodTarget(ns, request.PodName, container.Name);
        string profile = For is not null ? SecurityProfiles.For(For)
            : SecurityProfile is not null ? SecurityProfiles.Canonical(SecurityProfile)
            : SecurityProfiles.General;
        string action = $"Add debug container (profile {profile}, image {Image ?? container.Image})";
        if (!await writer.ShouldProcessAsync(request.Target.ToString(), action, ct).ConfigureAwait(false))
        {
            return;
        }

        using ProgressLine progress = new(writer, "Start-PodDebug", request.Target);
        try
        {
            DebugContainerInfo started = await gateway.StartDebugContainerAsync(
                Request(pod, container, profile, dryRun: false, progress.Show, writer.Warn),
                ct).ConfigureAwait(false);
            await writer.WriteObjectAsync(Sessions.From(started, pod, Settings), ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Cause == Causes.AdmissionDenied)
        {
            Dictionary<string, string> detail = new(e.Detail) { ["profile"] = profile };
            if (For is not null)
            {
                detail["for"] = For;
            }

            if (profile != SecurityProfiles.Restricted && !detail.ContainsKey(Advice.PassingProfile))
            {
                detail["restricted"] = await PassesAsync(gateway, pod, container, ct).ConfigureAwait(false)
                    ? Advice.Passes
                    : Advice.Refused;
            }

            throw new PyDebugException(e.Cause, e.Message, new FailureFacts(request.Target, detail), e.ServerMessage);
        }
    }

    /// <summary>Reads the pod; where there is none, the error names those that may be meant.</summary>
    private static async Task<PodInfo> FindPodAsync(KubeGateway gateway, PodTarget target, CancellationToken ct)
    {
        try
        {
            return await gateway.GetPodAsync(target.Namespace, target.PodName, ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Cause == Causes.PodNotFound)
        {
            string near = await NearAsync(gateway, target, ct).ConfigureAwait(false);
            Dictionary<string, string> detail = new(e.Detail) { ["near"] = near };
            throw new PyDebugException(e.Cause, e.Message, new FailureFacts(target, detail), e.ServerMessage);
        }
    }

    private static async Task<string> NearAsync(KubeGateway gateway, PodTarget target, CancellationToken ct)
    {
        try
        {
            IReadOnlyList<PodInfo> pods = await gateway.ListPodsAsync(target.Namespace, ct).ConfigureAwait(false);
            return string.Join(", ", NearNames.Find(target.PodName, pods.Select(p => p.Reference.Name)));
        }
        catch (EngineException)
        {
            return "";
        }
    }

    /// <summary>Whether admission would let profile Restricted through.</summary>
    private async Task<bool> PassesAsync(
        KubeGateway gateway,
        PodInfo pod,
        ContainerInfo container,
        CancellationToken ct)
    {
        try
        {
            await gateway.StartDebugContainerAsync(
                Request(pod, container, SecurityProfiles.Restricted, dryRun: true, progress: null, warn: null),
                ct).ConfigureAwait(false);
            return true;
        }
        catch (EngineException)
        {
            return false;
        }
    }

    private DebugContainerRequest Request(
        PodInfo pod,
        ContainerInfo container,
        string profile,
        bool dryRun,
        Action<string>? progress,
        Action<string>? warn)
        => new()
        {
            Pod = pod.Reference,
            TargetContainer = container.Name,
            Profile = profile,
            ProfileNamed = dryRun || SecurityProfile is not null || For is not null,
            Image = Image,
            ImagePullPolicy = ImagePullPolicy,
            CustomJson = _customJson,
            Environment = EnvironmentVariables(),
            Force = Force,
            DryRunOnly = dryRun,
            Timeout = TimeSpan.FromSeconds(TimeoutSeconds),
            Progress = progress,
            Warn = warn,
        };

    private Dictionary<string, string> EnvironmentVariables()
    {
        Dictionary<string, string> variables = [];
        foreach (DictionaryEntry entry in Environment ?? [])
        {
            variables[entry.Key.ToString() ?? ""] = entry.Value?.ToString() ?? "";
        }

        return variables;
    }
}
