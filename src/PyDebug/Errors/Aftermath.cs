using System.Collections.Generic;
using PyDebug.Engine;

namespace PyDebug.Errors;

/// <summary>What a failure leaves behind, as far as its cause alone tells.</summary>
internal static class Aftermath
{
    private static readonly HashSet<string> s_passing =
    [
        Causes.PeerSilent, Causes.OutcomeUnknown, Causes.NodeUnreachable, Causes.TargetRestarted, Causes.StartTimeout,
        Causes.PodNotRunning, Causes.TargetNotRunning, Causes.Timeout, Causes.DebugContainerGone, AgentCause.Deadline,
        AgentCause.FileChanged, AgentCause.MemrayBusy, AgentCause.MemrayNoAnswer, AgentCause.ProcessTraced,
    ];

    private static readonly HashSet<string> s_before =
    [
        LocalCause.ParameterInvalid, LocalCause.ContainerAmbiguous, LocalCause.CustomInvalid, LocalCause.SourceInvalid,
        LocalCause.ConfirmationNeeded, LocalCause.ProgramInvalid, LocalCause.ProbeNotScoped,
        LocalCause.PythonStackMisplaced, LocalCause.DestinationExists,
    ];

    /// <summary>Whether it may be gone when the same command is given again.</summary>
    public static bool MayPass(string cause) => s_passing.Contains(cause);

    /// <summary>What is at work in the pod after a failure that was found on this side.</summary>
    public static string Left(string cause)
        => s_before.Contains(cause) ? RemoteStates.NotStarted
            : cause is LocalCause.Unexpected or AgentCause.Cancelled ? RemoteStates.Unknown
            : RemoteStates.Stopped;
}
