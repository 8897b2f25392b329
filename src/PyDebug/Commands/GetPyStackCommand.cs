using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Reads the stack of every thread of a Python process from outside. A thread that waits is not touched; one that runs
/// is held for the one read, some microseconds.
/// </summary>
[Cmdlet(VerbsCommon.Get, "PyStack")]
[OutputType(typeof(PyThreadStack))]
public sealed class GetPyStackCommand : ProcessCommandBase
{
    /// <summary>Never holds a thread. Stacks that cannot be had so are left out and counted.</summary>
    [Parameter]
    public SwitchParameter NoStop { get; set; }

    private protected override Task AskAsync(AgentRun run, CancellationToken ct)
    {
        JsonObject body = run.Work.Body();
        body["noStop"] = NoStop.IsPresent;
        return run.AskAsync(
            "stack",
            body,
            async (item, stop) =>
            {
                IReadOnlyList<PyThreadStack>? threads = StackParser.Parse(item, run.Session, DateTime.UtcNow);
                if (threads is null)
                {
                    return false;
                }

                foreach (string note in threads.FirstOrDefault()?.Snapshot?.Notes ?? [])
                {
                    await run.Writer.WriteVerboseAsync($"{threads[0].Target()}: {note}", stop).ConfigureAwait(false);
                }

                await run.Writer.WriteAllAsync(threads, stop).ConfigureAwait(false);
                return true;
            },
            ct);
    }
}
