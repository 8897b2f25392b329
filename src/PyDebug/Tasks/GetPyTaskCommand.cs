using System;
using System.Collections.Generic;
using System.Management.Automation;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Lists the asyncio tasks of a Python process: what each awaits, through which coroutines, and who waits for it.
/// </summary>
[Cmdlet(VerbsCommon.Get, "PyTask")]
[OutputType(typeof(PyTask), typeof(PyTaskGroup))]
public sealed class GetPyTaskCommand : ProcessCommandBase
{
    /// <summary>Writes tasks that stand at the same place as one record, with their number and ids.</summary>
    [Parameter]
    public SwitchParameter Summary { get; set; }

    private protected override async Task AskAsync(AgentRun run, CancellationToken ct)
    {
        bool found = false;
        TaskParser parser = new(run.Session);
        List<PyDebugException> withoutAsyncio = [];
        await run.AskAsync(
            Operations.Tasks,
            run.Work.Body(),
            async (item, stop) =>
            {
                if (!parser.Add(item, DateTime.UtcNow, out IReadOnlyList<PyTask>? tasks))
                {
                    return false;
                }

                if (tasks is not null)
                {
                    found = true;
                    int pid = item.Integer("pid") ?? 0;
                    StackSnapshot said = new() { Notes = parser.Notes, Warnings = parser.Warnings };
                    await run.RemarkAsync(said, pid, stop).ConfigureAwait(false);
                    await WriteAsync(run, tasks, pid, stop).ConfigureAwait(false);
                }

                return true;
            },
            ct,
            onFailure: (cause, failure) =>
            {
                if (cause != AgentCause.AsyncioNotLoaded || run.Work.ProcessIds.Count > 0)
                {
                    return false;
                }

                withoutAsyncio.Add(failure);
                return true;
            }).ConfigureAwait(false);

        if (parser.Unfinished is int process and > 0)
        {
            IReadOnlyList<PyTask> tasks = parser.Finish(null);
            StackSnapshot said =
                new() { Warnings = [$"It ended, or failed, after {tasks.Count} of its tasks were read."] };
            await run.RemarkAsync(said, process, ct).ConfigureAwait(false);
            await WriteAsync(run, tasks, process, ct).ConfigureAwait(false);
        }

        // Of a whole container a process without asyncio is worth an error only where no other has tasks.
        foreach (PyDebugException failure in withoutAsyncio)
        {
            await (found
                ? run.Writer.WriteVerboseAsync(failure.Message, ct)
                : run.Writer.WriteErrorAsync(failure.ErrorRecord, ct)).ConfigureAwait(false);
        }
    }

    private async Task WriteAsync(AgentRun run, IReadOnlyList<PyTask> tasks, int process, CancellationToken ct)
    {
        if (Summary)
        {
            await run.Writer.WriteAllAsync(TaskGroups.Of(tasks), ct).ConfigureAwait(false);
            return;
        }

        await run.Writer.WriteAllAsync(tasks, ct).ConfigureAwait(false);
        await run.HintAsync(TaskGroups.Hint(tasks), process, ct).ConfigureAwait(false);
    }
}
