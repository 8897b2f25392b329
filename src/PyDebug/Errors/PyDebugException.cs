using System;
using System.Management.Automation;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>
/// A failure that PyDebug can explain. It carries the error record that cmdlets write: a constant id, a category, the
/// pod as target object and a recommended action.
/// </summary>
public sealed class PyDebugException : Exception, IContainsErrorRecord
{
    internal PyDebugException(string cause, string sentence, FailureFacts facts, string? serverMessage = null)
        : this(ErrorTable.Find(cause), SafeText.Line(sentence), facts, serverMessage)
    {
    }

    private PyDebugException(ErrorEntry entry, string sentence, FailureFacts facts, string? serverMessage)
        : this(entry, sentence, SafeText.Line(entry.Advice(facts)), facts.Target, serverMessage)
    {
    }

    private PyDebugException(
        ErrorEntry entry,
        string sentence,
        string advice,
        PodTarget? target,
        string? serverMessage)
        : base($"{sentence} {advice}")
    {
        Target = target;
        RecommendedAction = advice;
        ServerMessage = serverMessage is null ? null : SafeText.Line(serverMessage);
        ErrorRecord = new ExplainedErrorRecord(this, entry, sentence);
    }

    /// <summary>The record that a cmdlet writes for this failure.</summary>
    public ErrorRecord ErrorRecord { get; }

    /// <summary>What to do about it. It is the end of the message, too.</summary>
    public string RecommendedAction { get; }

    /// <summary>The API server's own words, or null where it had no part in the failure.</summary>
    public string? ServerMessage { get; }

    /// <summary>What the failure happened to, or null where it happened before a pod was looked at.</summary>
    public PodTarget? Target { get; }
}
