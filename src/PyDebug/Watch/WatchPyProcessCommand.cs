using System;
using System.Globalization;
using System.Management.Automation;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Watch;

namespace PyDebug.Commands;

/// <summary>
/// Writes one record for each process and interval, for as long as the pipeline wants: its CPU, memory, threads, files
/// and waits. Nothing in the process is held for it.
/// </summary>
[Cmdlet(VerbsCommon.Watch, "PyProcess", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(PyProcessSample))]
public sealed class WatchPyProcessCommand : ProcessCommandBase
{
    private const double LeastInterval = 0.2;

    private const double LongestInterval = 3600;

    private SemaphoreSlim? _places;

    private WatchOutput? _output;

    private WatchOptions? _options;

    private Successions? _successions;

    /// <summary>The interval in seconds.</summary>
    [Parameter]
    [ValidateRange(LeastInterval, LongestInterval)]
    [Alias("Interval")]
    public double IntervalSeconds { get; set; } = 2;

    /// <summary>Ends after so many seconds; without it only the pipeline ends it.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    [Alias("Duration")]
    public int? DurationSeconds { get; set; }

    /// <summary>
    /// A condition on a record, which is <c>$_</c>. Only the record that makes it true is written, and ends it for all
    /// processes.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public ScriptBlock? Until { get; set; }

    /// <summary>Writes all records up to the one that makes the condition of -Until true.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>
    /// Goes on with the successor of a pod that was replaced, and with a container that was started again: a debug
    /// container with the same image and profile is added to it, at most five times in an hour.
    /// </summary>
    [Parameter]
    public SwitchParameter Follow { get; set; }

    /// <summary>All at once: one that waits for another's end would never be watched.</summary>
    private protected override int AtOnce => Math.Max(1, PodCount);

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (PassThru && Until is null)
        {
            ThrowTerminatingError(ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                "-PassThru belongs to -Until: without it all records are written.").ErrorRecord);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _places?.Dispose();
        }

        base.Dispose(disposing);
    }

    private protected override async Task AskAllAsync(GatewayPool gateways, PipelineWriter writer, CancellationToken ct)
    {
        if (Follow)
        {
            // What it does to a successor is what that one does.
            TeamPolicy.Installed().CheckCmdlet("Start-PodDebug");
        }

        using CancellationTokenSource met = CancellationTokenSource.CreateLinkedTokenSource(ct);
        _places = new(ThrottleLimit);
        _output = new(writer, Until, PassThru, () => End(met));
        _successions = new();
        _options = new()
        {
            IntervalSeconds = IntervalSeconds,
            Duration = DurationSeconds is int seconds ? TimeSpan.FromSeconds(seconds) : null,
            Timeout = TimeSpan.FromSeconds(TimeoutSeconds),
            Follow = Follow,
        };
        try
        {
            await base.AskAllAsync(gateways, writer, met.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (met.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            // It was waited for, and came.
            return;
        }

        if (Until is not null && !_output.IsMet)
        {
            // What is still in the queue before this decides.
            WatchOutput output = _output;
            await writer.WarnUnlessAsync(
                () => output.IsMet,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"No record made -Until true; there were {output.Count:#,0} of them."),
                ct).ConfigureAwait(false);
        }
    }

    private static void End(CancellationTokenSource all)
    {
        try
        {
            all.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // All had ended by itself when the last of the records was looked at.
        }
    }

    private protected override Task AskAsync(AgentRun run, CancellationToken ct)
        => new PodWatch(run, _options!, _output!, _places!, _successions!).RunAsync(ct);
}
