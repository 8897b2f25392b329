using System;
using System.Collections.Generic;
using System.IO;
using PyDebug.Engine;

namespace PyDebug.Errors;

/// <summary>Turns failures of every kind into the one kind that cmdlets write.</summary>
internal static class ErrorFactory
{
    /// <summary>A failure that the module found itself.</summary>
    public static PyDebugException Local(
        string cause,
        string message,
        PodTarget? target = null,
        IReadOnlyDictionary<string, string>? detail = null)
        => new(cause, message, new FailureFacts(target, detail));

    /// <summary>Any exception, explained as far as it can be.</summary>
    public static PyDebugException From(Exception exception, PodTarget? target) => exception switch
    {
        PyDebugException known => known,
        EngineException engine => new PyDebugException(
            engine.Cause,
            engine.Message,
            new FailureFacts(target, engine.Detail, engine.Reason),
            engine.ServerMessage),
        OperationCanceledException => Local(AgentCause.Cancelled, "The operation was cancelled.", target),
        UnauthorizedAccessException or IOException => Local(
            LocalCause.DestinationInvalid, exception.Message, target),
        _ => Local(LocalCause.Unexpected, $"{exception.GetType().Name}: {exception.Message}", target),
    };
}
