using System;
using System.Linq;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Tools.PySpy;

namespace PyDebug.Commands;

/// <summary>
/// Runs py-spy beside the application: the stacks as it sees them, a recording of where the time goes, or a rolling
/// view of the busiest functions. py-spy stops the whole process for each read.
/// </summary>
[Cmdlet(VerbsLifecycle.Invoke, "PySpy")]
[OutputType(typeof(PyThreadStack), typeof(StackProfile), typeof(PyTopSample))]
public sealed class InvokePySpyCommand : ProcessCommandBase
{
    private const string Tool = "py-spy";

    private PySpyOptions _options = new();

    private ToolPayload? _payload;

    /// <summary>
    /// Writes every thread's stack once. This is what happens without <c>-Record</c> and <c>-Top</c>.
    /// </summary>
    [Parameter]
    public SwitchParameter Dump { get; set; }

    /// <summary>Samples for <c>-DurationSeconds</c> and writes a profile for each process.</summary>
    [Parameter]
    public SwitchParameter Record { get; set; }

    /// <summary>Samples for <c>-DurationSeconds</c> and writes each second's busiest functions.</summary>
    [Parameter]
    public SwitchParameter Top { get; set; }

    /// <summary>How long to sample, in seconds by the clock.</summary>
    [Parameter]
    [ValidateRange(1, 43_000)]
    [Alias("Duration")]
    public int DurationSeconds { get; set; } = 10;

    /// <summary>
    /// Samples a second. A process of many threads is sampled less often: each sample stops all of them.
    /// </summary>
    [Parameter]
    [ValidateRange(1, 1000)]
    [Alias("Rate")]
    public int SampleRate { get; set; } = 100;

    /// <summary>Samples a thread only while it holds the GIL.</summary>
    [Parameter]
    public SwitchParameter GilOnly { get; set; }

    /// <summary>Samples waiting threads too: where the wall-clock time goes.</summary>
    [Parameter]
    public SwitchParameter IncludeIdle { get; set; }

    /// <summary>Shows the frames of shared libraries between the Python frames, as far as they have symbols.</summary>
    [Parameter]
    public SwitchParameter Native { get; set; }

    /// <summary>Adds the local variables to the frames of a dump. They may hold secrets.</summary>
    [Parameter]
    public SwitchParameter IncludeLocals { get; set; }

    /// <summary>Does not stop the process. Stacks that never existed are then among those shown.</summary>
    [Parameter]
    public SwitchParameter NonBlocking { get; set; }

    /// <summary>Asks the Python processes below those that are named, too.</summary>
    [Parameter]
    public SwitchParameter Subprocesses { get; set; }

    /// <summary>The recording takes its own time, besides that of the answer.</summary>
    private protected override TimeSpan Limit
        => base.Limit + TimeSpan.FromSeconds(_options.Mode == PySpyOptions.Dump ? 0 : DurationSeconds);

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        try
        {
            _options = Options();
            _payload = ToolPayload.Find(Tool);
        }
        catch (PyDebugException e)
        {
            ThrowTerminatingError(e.ErrorRecord);
        }

        if (NonBlocking)
        {
            Warn("-NonBlocking reads a process while it runs: many of the stacks shown may never have existed.");
        }
        else
        {
            WriteVerbose("py-spy stops the whole process for each read, some milliseconds at a time.");
        }
    }

    private protected override async Task AskAsync(AgentRun run, CancellationToken ct)
    {
        JsonObject body = run.Work.Body();
        body["mode"] = _options.Mode;
        body["sha256"] = _payload!.Hashes();
        body["arguments"] = new JsonArray([.. _options.Arguments().Select(a => (JsonNode)a)]);
        body["subprocesses"] = Subprocesses.IsPresent;
        if (_options.Mode != PySpyOptions.Dump)
        {
            body["seconds"] = DurationSeconds;
            body["rate"] = SampleRate;
        }

        using PySpyAnswer answer = new(run, _options);
        await run.AskAsync(Operations.Pyspy, body, answer.OnResultAsync, ct, answer.OnFileAsync, _payload.OpenAsync)
            .ConfigureAwait(false);
    }

    private PySpyOptions Options()
    {
        if ((Dump ? 1 : 0) + (Record ? 1 : 0) + (Top ? 1 : 0) > 1)
        {
            throw ErrorFactory.Local(LocalCause.ParameterInvalid, "-Dump, -Record and -Top exclude each other.");
        }

        string mode = Record ? PySpyOptions.Record : Top ? PySpyOptions.Top : PySpyOptions.Dump;
        string[] foreign = mode == PySpyOptions.Dump
            ? [nameof(DurationSeconds), nameof(SampleRate), nameof(GilOnly), nameof(IncludeIdle)]
            : [nameof(IncludeLocals)];
        if (foreign.FirstOrDefault(MyInvocation.BoundParameters.ContainsKey) is string name)
        {
            string modes = mode == PySpyOptions.Dump ? "-Record and -Top" : "-Dump";
            throw ErrorFactory.Local(LocalCause.ParameterInvalid, $"-{name} belongs to {modes}.");
        }

        if (GilOnly && IncludeIdle)
        {
            throw ErrorFactory.Local(LocalCause.ParameterInvalid, "-GilOnly and -IncludeIdle exclude each other.");
        }

        return new PySpyOptions
        {
            Mode = mode,
            GilOnly = GilOnly,
            IncludeIdle = IncludeIdle,
            Native = Native,
            IncludeLocals = IncludeLocals,
            NonBlocking = NonBlocking,
            SampleRate = SampleRate,
        };
    }
}
