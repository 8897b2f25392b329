using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Management.Automation;
using System.Runtime.CompilerServices;
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
[Cmdlet(
    VerbsLifecycle.Start,
    "PodDebug",
    DefaultParameterSetName = InputSet,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(PodDebugSession))]
public sealed class StartPodDebugCommand : PodCommandBase
{
    private const int LongestReason = 256;

    /// <summary>How long what was read of a pod is taken for what it is.</summary>
    private static readonly TimeSpan s_fresh = TimeSpan.FromSeconds(15);

    private string? _customJson;

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

    /// <summary>What the session is wanted for; picks the least security profile that serves all of it.</summary>
    [Parameter]
    [ValidateSet("Stack", "Time", "PySpy", "Memray", "Bpftrace", "Heap")]
    public string[]? For { get; set; }

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
    [ArgumentCompleter(typeof(ImageCompleter))]
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

    /// <summary>Starts it however little memory is left to the pod.</summary>
    [Parameter]
    public SwitchParameter AllowLowMemory { get; set; }

    /// <summary>
    /// What it is wanted for, in one line. It goes into the container's mark, where Get-PodDebug shows it to whoever
    /// may read the pod.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Reason { get; set; }

    /// <summary>Adds a new debug container although one that would do is there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (For is not null && SecurityProfile is not null)
        {
            Refuse(
                "-For picks the security profile and cannot be combined with -SecurityProfile.",
                "Leave out one of them.");
        }

        if (For is not null && !SecurityProfiles.ServesAll(For))
        {
            Refuse(
                "Get-MemrayReport enters no process from a privileged debug container, and bpftrace needs one: no "
                + "profile serves both.",
                "Start one -For each; both can run side by side. Nothing was changed.");
        }

        if (Reason is not null && (Reason.Length > LongestReason || Reason.Any(char.IsControl)))
        {
            Refuse($"-Reason is one line of up to {LongestReason} characters.", "Shorten it. Nothing was changed.");
        }

        try
        {
            _customJson = Custom is null ? null : CustomContainer.ToJson(Custom);
            CheckCustom(_customJson);
        }
        catch (Exception e)
        {
            ThrowTerminatingError(ErrorFactory.From(e, target: null).ErrorRecord);
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (!HasSources)
        {
            return;
        }

        Image ??= System.Environment.GetEnvironmentVariable("PYDEBUG_IMAGE") is { Length: > 0 } image ? image : null;
        RunConnected((gateways, writer, ct) =>
        {
            KubeGateway gateway = gateways.Get(Way);
            return ForEachPodAsync(gateway, writer, (request, stop) => StartAsync(gateway, request, writer, stop), ct);
        });
    }

    /// <summary>Apart, since it wants the engine: what tells that there is none must do without.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CheckCustom(string? json)
    {
        if (json is not null)
        {
            KubeGateway.CheckCustom(json);
        }
    }

    private async Task StartAsync(
        KubeGateway gateway,
        StartRequest request,
        PipelineWriter writer,
        CancellationToken ct)
    {
        string ns = request.Namespace ?? gateway.DefaultNamespace;
        request.Target = new PodTarget(ns, request.PodName, request.ContainerName);
        PodInfo pod = await FindPodAsync(gateway, request.Target, request.Uid, ct).ConfigureAwait(false);
        long read = Stopwatch.GetTimestamp();
        ContainerInfo container = TargetContainer.Pick(pod, request.ContainerName, new PodTarget(ns, request.PodName));
        request.Target = new PodTarget(ns, request.PodName, container.Name);
        string profile = For is not null ? SecurityProfiles.For(For)
            : SecurityProfile is not null ? SecurityProfiles.Canonical(SecurityProfile)
            : SecurityProfiles.General;
        DebugContainerRequest wanted = Request(pod, container, profile, dryRun: false, null, null);
        bool privileged = gateway.CheckRequest(wanted, pod, container);
        string action = $"Add debug container (profile {profile}, image {Image ?? container.Image})";
        if (!await writer.ShouldProcessAsync(request.Target.ToString(), action, ct).ConfigureAwait(false))
        {
            return;
        }

        using ProgressLine progress = new(writer, "Start-PodDebug", request.Target);
        try
        {
            DebugContainerInfo started = await gateway.StartDebugContainerAsync(
                wanted with
                {
                    // Who was asked to confirm may have taken his time.
                    Known = Stopwatch.GetElapsedTime(read) < s_fresh ? pod : null,
                    Progress = progress.Show,
                    Warn = writer.WarnOnce,
                    Tell = writer.Tell,
                },
                ct).ConfigureAwait(false);
            if (privileged)
            {
                writer.WarnOnce(
                    "A privileged debug container has every capability and the devices of its node: whoever made "
                    + $"image '{started.Image}' could take over the node with it. It ends "
                    + $"{started.AfterLastUse.TotalMinutes:0} minutes after its last use.");
            }

            await writer.WriteObjectAsync(Sessions.From(started, pod, Way), ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Cause == Causes.AdmissionDenied)
        {
            Dictionary<string, string> detail = new(e.Detail) { ["profile"] = profile };
            if (For is not null)
            {
                detail["for"] = string.Join(", ", For);
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
    private static async Task<PodInfo> FindPodAsync(
        KubeGateway gateway, PodTarget target, string uid, CancellationToken ct)
    {
        try
        {
            PodReference reference = new() { Namespace = target.Namespace, Name = target.PodName, Uid = uid };
            return await gateway.GetPodAsync(reference, ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Cause == Causes.PodNotFound)
        {
            Dictionary<string, string> detail = new(e.Detail);
            if (await gateway.FindSuccessorAsync(target.Namespace, target.PodName, ct).ConfigureAwait(false)
                is string successor)
            {
                detail[Successors.Detail] = successor;
            }
            else
            {
                detail["near"] = await NearAsync(gateway, target, ct).ConfigureAwait(false);
            }

            throw new PyDebugException(e.Cause, e.Message, new FailureFacts(target, detail), e.ServerMessage);
        }
    }

    private static async Task<string> NearAsync(KubeGateway gateway, PodTarget target, CancellationToken ct)
    {
        try
        {
            IReadOnlyList<string> names = await gateway.ListPodsAsync(
                target.Namespace, selector: null, p => p.Reference.Name, ct).ConfigureAwait(false);
            return string.Join(", ", NearNames.Find(target.PodName, names));
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
            Reason = Reason,
            Environment = EnvironmentVariables(),
            Force = Force,
            DryRunOnly = dryRun,
            AllowLowMemory = AllowLowMemory || dryRun,
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
