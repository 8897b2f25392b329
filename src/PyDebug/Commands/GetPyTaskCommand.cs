using System;
using System.Collections.Generic;
using System.Management.Automation;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Lists the asyncio tasks of a Python process: what each awaits, through which coroutines, and who waits for it.
/// </summary>
[Cmdlet(VerbsCommon.Get, "PyTask")]
[OutputType(typeof(PyTask))]
public sealed class GetPyTaskCommand : ProcessCommandBase
{
    private protected override async Task AskAsync(AgentRun run, CancellationToken ct)
    {
        bool found = false;
        List<PyDebugException> withoutAsyncio = [];
        await run.AskAsync(
            "tasks",
            run.Work.Body(),
            async (item, stop) =>
            {
                if (TaskParser.Parse(item, run.Session, DateTime.UtcNow) is not IReadOnlyList<PyTask> tasks)
                {
                    return false;
                }

                found = true;
                await run.Writer.WriteAllAsync(tasks, stop).ConfigureAwait(false);
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

        // Of a whole container a process without asyncio is worth an error only where no other has tasks.
        foreach (PyDebugException failure in withoutAsyncio)
        {
            await (found
                ? run.Writer.WriteVerboseAsync(failure.Message, ct)
                : run.Writer.WriteErrorAsync(failure.ErrorRecord, ct)).ConfigureAwait(false);
        }
    }
}
