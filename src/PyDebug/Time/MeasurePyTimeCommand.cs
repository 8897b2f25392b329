using System;
using System.Collections.Generic;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Says where all of a process's wall time goes, by thread, line and reason, and stops nothing for it: from the kernel
/// where BPF is allowed, else from repeated reads of the interpreter's memory.
/// </summary>
[Cmdlet(VerbsDiagnostic.Measure, "PyTime")]
[OutputType(typeof(PyTimeReport))]
public sealed class MeasurePyTimeCommand : ProcessCommandBase
{
    private const int DeepestStack = 2000;

    /// <summary>How long to measure, in seconds by the clock.</summary>
    [Parameter]
    [ValidateRange(1, 43_000)]
    [Alias("Duration")]
    public int DurationSeconds { get; set; } = 10;

    /// <summary>Samples a second; 99 by the kernel sampler and 20 by the memory sampler unless it is given.</summary>
    [Parameter]
    [ValidateRange(1, 1000)]
    [Alias("Rate")]
    public int? SampleRate { get; set; }

    /// <summary>Which sampler: the kernel's, the reader of memory, or the first of them that can be had.</summary>
    [Parameter]
    [ValidateSet("Auto", "Kernel", "Memory")]
    public string Method { get; set; } = "Auto";

    /// <summary>The most frames of a stack, counted from the innermost.</summary>
    [Parameter]
    [ValidateRange(1, DeepestStack)]
    public int Depth { get; set; } = 128;

    /// <summary>Measures the threads with this name alone; wildcards are allowed.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string? ThreadName { get; set; }

    /// <summary>Waits that come to less than this, in microseconds, stay in the sums without their stacks.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int MinimumWaitMicroseconds { get; set; }

    /// <summary>
    /// Takes every single wait instead of samples of them: how many there were at each line, and the longest. It costs
    /// the target some 6 us at each switch of a thread, so it is declined where the threads switch too often.
    /// </summary>
    [Parameter]
    public SwitchParameter Exact { get; set; }

    /// <summary>Takes every single wait however often the threads switch.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>The measurement takes its own time, besides that of the answer.</summary>
    private protected override TimeSpan Limit => base.Limit + TimeSpan.FromSeconds(DurationSeconds);

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        string? wrong = Exact && Method.Equals("Memory", StringComparison.OrdinalIgnoreCase)
            ? "-Exact is the kernel sampler's: the memory sampler only sees samples of waits."
            : Force && !Exact ? "-Force belongs to -Exact." : null;
        if (wrong is not null)
        {
            ThrowTerminatingError(ErrorFactory.Local(LocalCause.ParameterInvalid, wrong).ErrorRecord);
        }
    }

    private protected override async Task AskAsync(AgentRun run, CancellationToken ct)
    {
        JsonObject body = run.Work.Body();
        body["seconds"] = DurationSeconds;
        body["rate"] = SampleRate;
        body["method"] = Method.ToLowerInvariant();
        body["exact"] = Exact.IsPresent;
        body["force"] = Force.IsPresent;
        body["depth"] = Depth;
        body["thread"] = ThreadName;
        body["minimumWait"] = MinimumWaitMicroseconds > 0 ? MinimumWaitMicroseconds : null;
        string place = $"{run.Session.Target()}";
        HashSet<string> said = [];
        SortedDictionary<int, PyTimeReport> soFar = [];
        try
        {
            await run.AskAsync(
                Operations.Time,
                body,
                async (item, stop) =>
                {
                    if (TimeParser.Parse(item, run.Session, DateTime.UtcNow) is not PyTimeReport report)
                    {
                        return false;
                    }

                    if (item.Text("kind") == "timeSoFar")
                    {
                        soFar[report.ProcessId] = report;
                        return true;
                    }

                    soFar.Remove(report.ProcessId);
                    await WriteAsync(run, report, place, said, stop).ConfigureAwait(false);
                    return true;
                },
                ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (soFar.Count > 0 && !ct.IsCancellationRequested && IsGone(e))
        {
            // With the pod goes whatever runs in it; what had been said of it by then is still true.
            await run.Writer.WriteWarningAsync($"{place}: {e.Message}", ct).ConfigureAwait(false);
            foreach (PyTimeReport report in soFar.Values)
            {
                PyTimeReport last = report with { Ended = true };
                last = last with { Warnings = TimeWarnings.Of(last) };
                await WriteAsync(run, last, place, said, ct).ConfigureAwait(false);
            }
        }
    }

    private static bool IsGone(EngineException e)
        => e.Cause is Causes.DebugContainerGone or Causes.TargetNotRunning or Causes.PodDeleting or Causes.PodNotFound
            or Causes.PodReplaced;

    private static async Task WriteAsync(
        AgentRun run, PyTimeReport report, string place, HashSet<string> said, CancellationToken ct)
    {
        // One pod's processes have one reason why, which is said once.
        if (report.WhyNotKernel is string why && said.Add(why))
        {
            await run.Writer.WriteWarningAsync(
                $"{place}: {why} The memory sampler was used. {report.Advice}".TrimEnd(), ct).ConfigureAwait(false);
        }

        foreach (string warning in report.Warnings)
        {
            await run.Writer.WriteWarningAsync($"{place}: {warning}", ct).ConfigureAwait(false);
        }

        foreach (string note in report.Notes)
        {
            await run.Writer.WriteVerboseAsync($"{report.Target()}: {note}", ct).ConfigureAwait(false);
        }

        await run.Writer.WriteObjectAsync(report, ct).ConfigureAwait(false);
    }
}
