using System.Management.Automation;

namespace PyDebug.Commands;

/// <summary>Base of cmdlets whose answer takes memory, which counts against the pod's limit.</summary>
public abstract class QuestionCommandBase : SessionCommandBase
{
    /// <summary>
    /// Asks however little memory is left to the pod. Without it a question for which there is too little is refused,
    /// and one that is at work ends where the application comes near its limit.
    /// </summary>
    [Parameter]
    public SwitchParameter AllowLowMemory { get; set; }

    private protected sealed override bool MayTakeTheLast => AllowLowMemory;
}
