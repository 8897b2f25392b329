using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Completion;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Tools.Bpftrace;

namespace PyDebug.Commands;

/// <summary>
/// Runs a bpftrace program beside the application and writes what it prints as objects: what the kernel sees of the
/// target container, and of nothing else unless that is asked for.
/// </summary>
[Cmdlet(VerbsLifecycle.Invoke, "Bpftrace", SupportsShouldProcess = true)]
[OutputType(typeof(BpftraceEvent), typeof(BpftraceMap), typeof(BpftraceScript), typeof(string))]
public sealed class InvokeBpftraceCommand : ProcessCommandBase
{
    private const int LongestRun = 43_000;

    private const int LongestProgram = 256 * 1024;

    private const string Node = "Node";

    private const string ListSet = "List";

    private BpftraceProgram? _program;

    private BpftraceLayout? _layout;

    /// <summary>The program's text.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [Alias("Expression")]
    public string? Program { get; set; }

    /// <summary>A file of this machine that holds the program.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>The name of a script that the module brings.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(BpftraceScriptCompleter))]
    public string? Script { get; set; }

    /// <summary>Writes the scripts that the module brings, and asks no pod.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ListSet)]
    public SwitchParameter ListScripts { get; set; }

    /// <summary>What the program sees as <c>$1</c>, <c>$2</c> and so on.</summary>
    [Parameter]
    [ValidateNotNull]
    public string[] Argument { get; set; } = [];

    /// <summary>How long to run, in seconds by the clock, from when the probes are attached.</summary>
    [Parameter]
    [ValidateRange(1, LongestRun)]
    [Alias("Duration")]
    public int DurationSeconds { get; set; } = 10;

    /// <summary>Runs until the pipeline ends, for twelve hours at most.</summary>
    [Parameter]
    public SwitchParameter Continuous { get; set; }

    /// <summary>Whose events the program sees: the target container's, or those of the whole node.</summary>
    [Parameter]
    [ValidateSet("Container", Node)]
    public string Scope { get; set; } = "Container";

    /// <summary>Writes bpftrace's own JSON, a line at a time.</summary>
    [Parameter]
    public SwitchParameter Raw { get; set; }

    /// <summary>The most bytes that the program may print. Then it is ended, and a warning says so.</summary>
    [Parameter]
    [ValidateRange(1024, 1L << 40)]
    public long MaximumBytes { get; set; } = 64L << 20;

    /// <summary>The most keys in a map.</summary>
    [Parameter]
    [ValidateRange(1, 1 << 24)]
    public int MaximumKeys { get; set; } = 65_536;

    /// <summary>A run takes its own time, besides that of the answer.</summary>
    private protected override TimeSpan Limit
        => Continuous ? TimeSpan.FromSeconds(43_200) : base.Limit + TimeSpan.FromSeconds(DurationSeconds);

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (ListScripts)
        {
            WriteObject(BpftraceLibrary.All, enumerateCollection: true);
            return;
        }

        base.BeginProcessing();
        try
        {
            string text = Text();
            _program = BpftraceProgram.Parse(
                text, Scope != Node, Script is not null && BpftraceLibrary.IsScopedByHand(text));
            _layout = Script is null ? null : BpftraceLayout.Parse(text);
        }
        catch (PyDebugException e)
        {
            ThrowTerminatingError(e.ErrorRecord);
        }

        if (Scope == Node)
        {
            Warn("-Scope Node: the program sees every process of the node, not the target alone. "
                + "Its pid and tid are the node's numbers.");
        }
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (!ListScripts)
        {
            base.ProcessRecord();
        }
    }

    private protected override async Task AskAsync(AgentRun run, CancellationToken ct)
    {
        BpftraceProgram program = _program!;
        string length = Continuous ? "until stopped" : $"for {DurationSeconds} s";
        string probes = string.Join(", ", program.Probes.Select(p => p.Text).Distinct());
        bool go = await run.Writer.ShouldProcessAsync(
            $"{run.Session.Target()}", $"run bpftrace {length} with {probes}", ct).ConfigureAwait(false);
        JsonObject body = run.Work.Body();
        body["parts"] = program.ToJson();
        body["arguments"] = new JsonArray([.. Argument.Select(a => (JsonNode)a)]);
        body["probes"] = new JsonArray([.. program.Probes.Select(p => p.Kind).Distinct().Select(k => (JsonNode)k)]);
        body["points"] = new JsonArray([.. program.Probes.Select(p => (JsonNode)p.Text)]);
        body["node"] = Scope == Node;
        body["dry"] = !go;
        body["seconds"] = DurationSeconds;
        body["continuous"] = Continuous.IsPresent;
        body["checks"] = program.NeedsChecks;
        body["maximumBytes"] = MaximumBytes;
        body["maximumKeys"] = MaximumKeys;
        BpftraceAnswer answer = new(run, program, MaximumBytes, MaximumKeys, Raw, _layout);
        await run.AskAsync(
            Operations.Bpftrace, body, answer.OnResultAsync, ct, answer.OnFileAsync).ConfigureAwait(false);
    }

    private string Text()
    {
        if ((Program is null ? 0 : 1) + (Path is null ? 0 : 1) + (Script is null ? 0 : 1) != 1)
        {
            throw ErrorFactory.Local(
                LocalCause.ParameterInvalid, "One of -Program, -Path and -Script names the program.");
        }

        if (Continuous && MyInvocation.BoundParameters.ContainsKey(nameof(DurationSeconds)))
        {
            throw ErrorFactory.Local(
                LocalCause.ParameterInvalid, "-Continuous and -DurationSeconds exclude each other.");
        }

        string text = Script is string name ? BpftraceLibrary.Find(name).Text : Program ?? ReadFile(Path!);
        return text.Length <= LongestProgram
            ? text
            : throw ErrorFactory.Local(
                LocalCause.ProgramInvalid, $"The program is longer than {LongestProgram / 1024} KiB.");
    }

    private string ReadFile(string path)
    {
        string whole = LocalPath.Full(this, path, LocalCause.SourceInvalid);
        try
        {
            // What a file says of its length may be wrong, as where it is a device.
            using StreamReader reader = new(whole);
            char[] text = new char[LongestProgram + 1];
            int length = reader.ReadBlock(text);
            return length <= LongestProgram
                ? new string(text, 0, length)
                : throw ErrorFactory.Local(
                    LocalCause.ProgramInvalid, $"'{whole}' is longer than {LongestProgram / 1024} KiB.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw ErrorFactory.Local(LocalCause.SourceInvalid, e.Message);
        }
    }
}
