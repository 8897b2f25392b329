using System;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>Lists the Python processes in the target container, whatever their interpreter is called.</summary>
[Cmdlet(VerbsCommon.Get, "PyProcess")]
[OutputType(typeof(PyProcess))]
public sealed class GetPyProcessCommand : QuestionCommandBase
{
    private protected override Task AskAsync(AgentRun run, CancellationToken ct)
        => run.AskAsync(
            Operations.Processes,
            new JsonObject(),
            async (item, stop) =>
            {
                if (ProcessParser.Parse(item, run.Session, DateTime.UtcNow) is not PyProcess process)
                {
                    return false;
                }

                await run.Writer.WriteObjectAsync(process, stop).ConfigureAwait(false);
                return true;
            },
            ct);
}
