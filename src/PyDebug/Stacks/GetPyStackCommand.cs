using System;
using System.Collections.Generic;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Reads the stack of every thread of a Python process from outside. A thread that waits is not touched; one that runs
/// is held for the one read, some microseconds.
/// </summary>
[Cmdlet(VerbsCommon.Get, "PyStack")]
[OutputType(typeof(PyThreadStack), typeof(PyThreadGroup))]
public sealed class GetPyStackCommand : ProcessCommandBase
{
    /// <summary>Never holds a thread. Stacks that cannot be had so are left out and counted.</summary>
    [Parameter]
    public SwitchParameter NoStop { get; set; }

    /// <summary>Writes threads that do the same at the same place as one record, with their number and ids.</summary>
    [Parameter]
    public SwitchParameter Summary { get; set; }

    private protected override Task AskAsync(AgentRun run, CancellationToken ct)
    {
        JsonObject body = run.Work.Body();
        body["noStop"] = NoStop.IsPresent;
        return run.AskAsync(
            Operations.Stack,
            body,
            async (item, stop) =>
            {
                IReadOnlyList<PyThreadStack>? threads = StackParser.Parse(item, run.Session, DateTime.UtcNow);
                if (threads is null)
                {
                    return false;
                }

                await run.RemarkAsync(StackParser.Snapshot(item), item.Integer("pid") ?? 0, stop).ConfigureAwait(false);
                if (Summary)
                {
                    await run.Writer.WriteAllAsync(ThreadGroups.Of(threads), stop).ConfigureAwait(false);
                    return true;
                }

                await run.Writer.WriteAllAsync(threads, stop).ConfigureAwait(false);
                await run.HintAsync(ThreadGroups.Hint(threads), item.Integer("pid") ?? 0, stop).ConfigureAwait(false);
                return true;
            },
            ct);
    }
}
