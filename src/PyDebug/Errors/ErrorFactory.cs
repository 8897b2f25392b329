using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.CompilerServices;
using PyDebug.Engine;
using PyDebug.Internal;

namespace PyDebug.Errors;

/// <summary>Turns failures of every kind into the one kind that cmdlets write.</summary>
internal static class ErrorFactory
{
    private const int DiskFull = 28;

    private const int WindowsDiskFull = unchecked((int)0x80070070);

    /// <summary>A failure that the module found itself.</summary>
    public static PyDebugException Local(
        string cause,
        string message,
        PodTarget? target = null,
        IReadOnlyDictionary<string, string>? detail = null)
        => new(cause, message, new FailureFacts(target, detail))
        {
            IsRetryable = Aftermath.MayPass(cause),
            RemoteState = Aftermath.Left(cause),
        };

    /// <summary>Any exception, explained as far as it can be.</summary>
    public static PyDebugException From(Exception exception, PodTarget? target)
        => exception as PyDebugException ?? ModuleFiles.Explain(exception) ?? FromOthers(exception, target);

    /// <summary>Whether a write failed because there was no room left.</summary>
    public static bool IsDiskFull(Exception exception)
        => exception is IOException && exception.HResult is DiskFull or WindowsDiskFull;

    /// <summary>Apart, since it wants the engine: what tells that there is none must do without.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static PyDebugException FromOthers(Exception exception, PodTarget? target) => exception switch
    {
        EngineException engine => new PyDebugException(
            engine.Cause,
            engine.Message,
            new FailureFacts(target, engine.Detail, engine.Reason),
            engine.ServerMessage)
        {
            Phase = engine.Phase ?? Phases.Connect,
            IsRetryable = engine.Retryable || Aftermath.MayPass(engine.Cause),
            RemoteState = engine.RemoteState ?? RemoteStates.NotStarted,
        },
        LimitExceededException => Local(LocalCause.LimitExceeded, exception.Message, target),
        OperationCanceledException => Local(AgentCause.Cancelled, "The operation was cancelled.", target),
        UnauthorizedAccessException or IOException => Local(
            IsDiskFull(exception) ? AgentCause.DiskFull : LocalCause.DestinationInvalid,
            exception.Message,
            target,
            new Dictionary<string, string>
            {
                ["advice"] = "The folder must be writable and have room; TMPDIR (on Windows TEMP) names the one "
                    + "for temporary files.",
            }),
        _ => Local(LocalCause.Unexpected, $"{exception.GetType().Name}: {exception.Message}", target),
    };
}
