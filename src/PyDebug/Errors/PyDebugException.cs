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

    /// <summary>
    /// What was being done: <c>Connect</c> (the server was looked for, logged in to or asked), <c>Start</c> (a debug
    /// container was added and waited for), <c>Run</c> (the question was worked on in the pod) or <c>Transfer</c> (a
    /// file was on its way). Null where it has to do with none of these, such as a parameter or a file of this machine.
    /// </summary>
    public string? Phase { get; internal set; }

    /// <summary>
    /// Whether the same command may succeed when it is given again with nothing changed: the way to the server was cut,
    /// the server was away or busy, time ran out, or something else was at work. False where it will fail again.
    /// </summary>
    public bool IsRetryable { get; internal set; }

    /// <summary>
    /// What the command left at work in the pod: <c>NotStarted</c> (nothing was begun), <c>Stopped</c> (it has ended),
    /// <c>MayBeRunning</c> (it ends by itself within 30 s of losing this side; a debug container that was added stays)
    /// or <c>Unknown</c> (what answered is not known to be PyDebug's agent).
    /// </summary>
    public string RemoteState { get; internal set; } = "NotStarted";

    /// <summary>What the failure happened to, or null where it happened before a pod was looked at.</summary>
    public PodTarget? Target { get; }
}
