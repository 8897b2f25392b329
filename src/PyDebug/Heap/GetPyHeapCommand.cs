using System;
using System.Linq;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Heap;

/// <summary>
/// Says where a process's resident memory is, which types fill it and, over some seconds, which of them grow and who
/// holds what grows. All of it is read from outside: no thread is held and nothing is injected.
/// </summary>
[Cmdlet(VerbsCommon.Get, "PyHeap")]
[OutputType(typeof(PyHeapReport))]
public sealed class GetPyHeapCommand : ProcessCommandBase
{
    /// <summary>Makes the command with the time that large heaps need.</summary>
    public GetPyHeapCommand()
    {
        TimeoutSeconds = 120;
    }

    /// <summary>Over how many seconds looks are spread; 0 is one look.</summary>
    [Parameter]
    [ValidateRange(0, 43_000)]
    [Alias("Duration")]
    public int DurationSeconds { get; set; }

    /// <summary>
    /// How many looks are taken within the duration: 9 where they are cheap, else 5. What grows is said of four or
    /// more.
    /// </summary>
    [Parameter]
    [ValidateRange(2, 60)]
    public int? Census { get; set; }

    /// <summary>The types that are listed, as <c>Order</c> or <c>shop.Order</c>; wildcards are allowed.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? Type { get; set; }

    /// <summary>Also says who holds the objects: of the types named, else of the largest.</summary>
    [Parameter]
    public SwitchParameter Holder { get; set; }

    /// <summary>How many objects of a type are followed to their holders: 8, or 4 in a heap above 500 MiB.</summary>
    [Parameter]
    [ValidateRange(1, 64)]
    public int? SampleCount { get; set; }

    /// <summary>How many types the view shows; the report has all of them.</summary>
    [Parameter]
    [ValidateRange(1, 1000)]
    public int First { get; set; } = 15;

    /// <summary>
    /// The most that the agent takes of one CPU, in per cent: 50 unless it is given, 10 where a CPU quota is in force.
    /// </summary>
    [Parameter]
    [ValidateRange(1, 100)]
    public int? CpuPercent { get; set; }

    /// <summary>Looks at all pools of a heap above 500 MiB, too, not at a part of them.</summary>
    [Parameter]
    public SwitchParameter Complete { get; set; }

    /// <summary>Shows the keys of dicts on the ways to holders; those that look like secrets are masked.</summary>
    [Parameter]
    public SwitchParameter IncludeKeys { get; set; }

    /// <summary>The looks take their own time, besides that of the answer.</summary>
    private protected override TimeSpan Limit => base.Limit + TimeSpan.FromSeconds(DurationSeconds);

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (DurationSeconds == 0 && MyInvocation.BoundParameters.ContainsKey(nameof(Census)))
        {
            ThrowTerminatingError(ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                "-Census spreads looks over -DurationSeconds, which is missing.").ErrorRecord);
        }
    }

    private protected override Task AskAsync(AgentRun run, CancellationToken ct)
    {
        JsonObject body = run.Work.Body();
        body["seconds"] = DurationSeconds;
        body["looks"] = Census;
        body["types"] = Type is null ? null : new JsonArray([.. Type.Select(t => (JsonNode?)t)]);
        body["holder"] = Holder.IsPresent;
        body["samples"] = SampleCount;
        body["percent"] = CpuPercent;
        body["complete"] = Complete.IsPresent;
        body["keys"] = IncludeKeys.IsPresent;
        return run.AskAsync(
            Operations.Heap,
            body,
            async (item, stop) =>
            {
                if (HeapParser.Parse(item, run.Session, DateTime.UtcNow, First) is not PyHeapReport report)
                {
                    return false;
                }

                foreach (string warning in report.Warnings)
                {
                    await run.Writer.WriteWarningAsync($"{report.Target()}: {warning}", stop).ConfigureAwait(false);
                }

                foreach (string note in report.Notes)
                {
                    await run.Writer.WriteVerboseAsync($"{report.Target()}: {note}", stop).ConfigureAwait(false);
                }

                await run.Writer.WriteObjectAsync(report, stop).ConfigureAwait(false);
                return true;
            },
            ct);
    }
}
