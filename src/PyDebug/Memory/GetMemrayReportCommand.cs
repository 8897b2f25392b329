using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;
using PyDebug.Tools.Memray;

namespace PyDebug.Commands;

/// <summary>
/// Says where the memory of a running process goes: tracks its allocations with memray, which is carried into it, and
/// reports what was kept and what there was at the peak. It changes the process, and asks before it does.
/// </summary>
[Cmdlet(VerbsCommon.Get, "MemrayReport", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(MemrayReport))]
public sealed class GetMemrayReportCommand : ProcessCommandBase
{
    private const string CaptureSet = "Capture";

    /// <summary>Before and after the window: sending the payload, the rehearsal, reading the capture.</summary>
    private const int LeastOverhead = 120;

    private readonly Dictionary<(string, string, string, int), PyProcess> _known = [];

    private MemrayHistory _history = new();

    private MemrayOptions _options = new();

    private MemrayPayload? _payload;

    private MemrayFiles _files = new(null);

    private MemrayCapture? _capture;

    /// <summary>Sessions from <c>Start-PodDebug</c> or <c>Get-PodDebug</c>, also from JSON or CLIXML.</summary>
    [Parameter(
        Mandatory = true,
        Position = 0,
        ParameterSetName = SessionSet,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true)]
    [Parameter(Mandatory = true, ParameterSetName = CaptureSet, Position = 0, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [SessionInput]
    public override PodDebugSession[] Session { get; set; } = [];

    /// <summary>A capture that <c>-KeepCapture</c> kept: it is read in the debug container of a session.</summary>
    [Parameter(Mandatory = true, ParameterSetName = CaptureSet)]
    [ValidateNotNullOrEmpty]
    public string? CapturePath { get; set; }

    /// <summary>How long to track, in seconds by the clock.</summary>
    [Parameter(ParameterSetName = SessionSet)]
    [Parameter(ParameterSetName = ProcessSet)]
    [ValidateRange(1, 43_000)]
    [Alias("Duration")]
    public int DurationSeconds { get; set; } = 30;

    /// <summary>Adds frames of machine code to the stacks.</summary>
    [Parameter(ParameterSetName = SessionSet)]
    [Parameter(ParameterSetName = ProcessSet)]
    public SwitchParameter Native { get; set; }

    /// <summary>Tracks every object of Python's own allocator, too.</summary>
    [Parameter(ParameterSetName = SessionSet)]
    [Parameter(ParameterSetName = ProcessSet)]
    public SwitchParameter PythonAllocators { get; set; }

    /// <summary>Keeps sums in the process instead of writing every allocation to the capture.</summary>
    [Parameter(ParameterSetName = SessionSet)]
    [Parameter(ParameterSetName = ProcessSet)]
    public SwitchParameter Aggregate { get; set; }

    /// <summary>The size of a capture, in bytes, at which tracking ends early; 1 GiB unless it is given.</summary>
    [Parameter(ParameterSetName = SessionSet)]
    [Parameter(ParameterSetName = ProcessSet)]
    [ValidateRange(1L << 20, 1L << 40)]
    public long? MaximumCaptureBytes { get; set; }

    /// <summary>Brings the capture here after the report.</summary>
    [Parameter(ParameterSetName = SessionSet)]
    [Parameter(ParameterSetName = ProcessSet)]
    public SwitchParameter KeepCapture { get; set; }

    /// <summary>
    /// The file that the capture is kept in, or a folder for several; the current one unless it is given.
    /// </summary>
    [Parameter(ParameterSetName = SessionSet)]
    [Parameter(ParameterSetName = ProcessSet)]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>Leaves files that exist as they are, and says so.</summary>
    [Parameter(ParameterSetName = SessionSet)]
    [Parameter(ParameterSetName = ProcessSet)]
    public SwitchParameter NoClobber { get; set; }

    /// <summary>The most frames of a stack, counted from the innermost.</summary>
    [Parameter]
    [ValidateRange(1, 512)]
    public int Depth { get; set; } = 128;

    /// <summary>The most stacks of each list; smaller ones are kept as sums.</summary>
    [Parameter]
    [ValidateRange(1, 20_000)]
    public int MaximumStackCount { get; set; } = 5000;

    /// <summary>Tracking takes its own time, besides that of the answer.</summary>
    private protected override TimeSpan Limit
        => TimeSpan.FromSeconds(Math.Max(TimeoutSeconds, LeastOverhead) + (_capture is null ? DurationSeconds : 0));

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        try
        {
            Prepare();
        }
        catch (PyDebugException e)
        {
            ThrowTerminatingError(e.ErrorRecord);
        }

        foreach (string cost in _options.Costs())
        {
            Warn(cost);
        }
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == CaptureSet)
        {
            foreach (PodDebugSession session in Session)
            {
                AddSession(session);
            }

            return;
        }

        foreach (PyProcess process in ParameterSetName == ProcessSet ? Process : [])
        {
            _known[(process.Namespace, process.PodName, process.DebugContainer, process.ProcessId)] = process;
        }

        base.ProcessRecord();
    }

    private protected override async Task AskAsync(AgentRun run, CancellationToken ct)
    {
        if (_capture is not null)
        {
            await _capture.ReadAsync(run, ct).ConfigureAwait(false);
            return;
        }

        IReadOnlyList<PyProcess> asked = await ProcessesAsync(run, ct).ConfigureAwait(false);
        List<PyProcess> chosen = [];
        foreach (PyProcess process in asked)
        {
            if (await run.Writer.ConfirmAsync(process.Target(), Describe(process), Action(), ct).ConfigureAwait(false))
            {
                chosen.Add(process);
            }
        }

        if (chosen.Count == 0)
        {
            return;
        }

        if (_files.IsOne && chosen.Count > 1)
        {
            throw ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                $"-Path names one file, and {chosen.Count} processes are to be tracked.",
                run.Session.Target(),
                new Dictionary<string, string> { ["advice"] = "Name a folder that exists. Nothing was done." });
        }

        await TellOfEndAsync(run, ct).ConfigureAwait(false);
        foreach (string doubt in chosen.Select(p => _payload!.Doubt(p.PythonVersion)).OfType<string>().Distinct())
        {
            await run.Writer.WriteWarningAsync($"{run.Session.Target()}: {doubt}", ct).ConfigureAwait(false);
        }

        await TrackAsync(run, chosen, ct).ConfigureAwait(false);
    }

    private void Prepare()
    {
        // The work is done on other threads, which have no runspace.
        _history = MemrayHistory.Of(Runspace.DefaultRunspace);
        if (Path is not null && !KeepCapture)
        {
            throw ErrorFactory.Local(LocalCause.ParameterInvalid, "-Path belongs to -KeepCapture.");
        }

        ReportPath? keep = KeepCapture ? Check(nameof(Path), Path ?? ".", ".bin") : null;
        FileInfo? file = CapturePath is null ? null
            : MemrayCapture.Find(LocalPath.Full(this, CapturePath, LocalCause.SourceInvalid));
        _payload = MemrayPayload.Find();
        _files = new MemrayFiles(keep);
        _options = new MemrayOptions
        {
            DurationSeconds = DurationSeconds,
            Native = Native,
            PythonAllocators = PythonAllocators,
            Aggregate = Aggregate,
            MaximumCaptureBytes = MaximumCaptureBytes,
            KeepCapture = _files.NeedCapture,
            MaximumStackCount = MaximumStackCount,
            Depth = Depth,
        };
        _capture = file is null ? null : new MemrayCapture(file, _options, _payload);
    }

    private ReportPath Check(string parameter, string path, string extension)
        => ReportPath.Check(
            parameter, LocalPath.Full(this, path, LocalCause.DestinationInvalid), extension, replace: !NoClobber);

    private string Action() => _options.Action(_payload!.Version);

    /// <summary>Which process, for the question: what runs there, so that nobody says yes to another one.</summary>
    private static string Describe(PyProcess process)
    {
        string python = process.PythonVersion is null ? ""
            : $", {process.Implementation ?? "Python"} {process.PythonVersion}";
        string command = process.CommandLine.Length == 0 ? "" : $" ({SafeText.Line(process.CommandLine, 80)})";
        return $"{process.Target()}{python}{command}";
    }

    /// <summary>
    /// The processes meant. A session alone means its one Python: which that is must be known before the question, and
    /// be the same after it, so it goes on by its id and start time.
    /// </summary>
    private async Task<IReadOnlyList<PyProcess>> ProcessesAsync(AgentRun run, CancellationToken ct)
    {
        PodDebugSession session = run.Session;
        if (!run.Work.WholeContainer && run.Work.ProcessIds.All(IsKnown))
        {
            return [.. run.Work.ProcessIds.Select(p => _known[Key(p)])];
        }

        List<PyProcess> found = await FindAsync(run, ct).ConfigureAwait(false);
        if (run.Work.WholeContainer && TrackedProcesses.MayPass(found))
        {
            await Task.Delay(TimeSpan.FromSeconds(TrackedProcesses.FleetingSeconds), ct).ConfigureAwait(false);
            found = await FindAsync(run, ct).ConfigureAwait(false);
        }

        return TrackedProcesses.Choose(session, run.Work.WholeContainer ? null : run.Work.ProcessIds, found);

        bool IsKnown(int pid) => _known.ContainsKey(Key(pid));

        (string, string, string, int) Key(int pid)
            => (session.Namespace, session.PodName, session.DebugContainer, pid);
    }

    private static async Task<List<PyProcess>> FindAsync(AgentRun run, CancellationToken ct)
    {
        List<PyProcess> found = [];
        await run.AskAsync(
            Operations.Processes,
            [],
            (item, _) =>
            {
                PyProcess? process = ProcessParser.Parse(item, run.Session, DateTime.UtcNow);
                if (process is not null)
                {
                    found.Add(process);
                }

                return ValueTask.FromResult(process is not null);
            },
            ct).ConfigureAwait(false);
        return found;
    }

    private async Task TrackAsync(AgentRun run, List<PyProcess> processes, CancellationToken ct)
    {
        PodWork work = new(run.Session, run.Work.Connection);
        foreach (PyProcess process in processes)
        {
            double? started = (process.StartTime - DateTime.UnixEpoch)?.TotalSeconds;
            work.Add(process.ProcessId, started);
        }

        JsonObject body = work.Body();
        body["sha256"] = _payload!.Hashes();
        _options.Write(body);
        bool hasParent = processes.Any(p => p.Role == MemrayWorkers.Master);
        List<PyProcess> before = hasParent ? await FindAsync(run, ct).ConfigureAwait(false) : [];
        using MemrayAnswer answer = new(run, _files, _history, _options.LargestCapture);
        try
        {
            await run.AskAsync(
                Operations.Memray, body, answer.OnResultAsync, ct, answer.OnFileAsync, _payload.OpenAsync)
                .ConfigureAwait(false);
        }
        finally
        {
            if (!ct.IsCancellationRequested)
            {
                await answer.FlushAsync(ct).ConfigureAwait(false);
            }
        }

        if (answer.HasLost)
        {
            await TellOfEndAsync(run, ct).ConfigureAwait(false);
        }
        else if (hasParent
            && MemrayWorkers.Growing(
                processes, before, await FindAsync(run, ct).ConfigureAwait(false)) is string growing)
        {
            await run.Writer.WriteWarningAsync($"{run.Session.Target()}: {growing}", ct).ConfigureAwait(false);
        }
    }

    /// <summary>Says what became of the container since the last report, where it was started again.</summary>
    private async Task TellOfEndAsync(AgentRun run, CancellationToken ct)
    {
        PodDebugSession session = run.Session;
        try
        {
            PodInfo pod = await run.Gateway.GetPodAsync(session.Namespace, session.PodName, ct).ConfigureAwait(false);
            ContainerInfo? container = pod.Find(session.ContainerName);
            if (container is not null
                && pod.Reference.Uid == session.PodUid
                && _history.Tell(session, container, DateTime.UtcNow) is string text)
            {
                await run.Writer.WriteWarningAsync($"{session.Target()}: {text}", ct).ConfigureAwait(false);
            }
        }
        catch (EngineException e)
        {
            await run.Writer.WriteVerboseAsync(e.Message, ct).ConfigureAwait(false);
        }
    }
}
