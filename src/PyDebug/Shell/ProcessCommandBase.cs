using System.Management.Automation;
using PyDebug.Completion;

namespace PyDebug.Commands;

/// <summary>Base of cmdlets that ask about single processes as well as about whole containers.</summary>
public abstract class ProcessCommandBase : QuestionCommandBase
{
    /// <summary>Processes from <c>Get-PyProcess</c>, or made again from JSON or CLIXML.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ProcessSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [SessionInput(IsProcess = true)]
    public PyProcess[] Process { get; set; } = [];

    /// <summary>The processes of the session by their ids in the container; without it all Pythons.</summary>
    [Parameter(ParameterSetName = SessionSet)]
    [ValidateRange(1, int.MaxValue)]
    [Alias("Pid")]
    [ArgumentCompleter(typeof(ProcessIdCompleter))]
    public int[]? ProcessId { get; set; }

    private protected sealed override int[]? WantedProcesses => ProcessId;

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == SessionSet)
        {
            base.ProcessRecord();
            return;
        }

        foreach (PyProcess process in Process)
        {
            AddProcess(process);
        }
    }
}
