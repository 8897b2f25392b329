using System;
using System.Collections.Generic;

namespace PyDebug.Engine;

/// <summary>A failure the engine can name. Its message is one plain sentence and never holds a credential.</summary>
internal sealed class EngineException : Exception
{
    private static readonly Dictionary<string, string> s_noDetail = [];

    public EngineException(string cause, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Cause = cause;
    }

    /// <summary>One of <see cref="Causes"/>.</summary>
    public string Cause { get; }

    /// <summary>HTTP status of the answer the failure came with.</summary>
    public int? StatusCode { get; init; }

    /// <summary>The <c>reason</c> of the server's Status object, such as <c>Forbidden</c>.</summary>
    public string? Reason { get; init; }

    /// <summary>The server's own words.</summary>
    public string? ServerMessage { get; init; }

    /// <summary>Facts about the failure by name.</summary>
    public IReadOnlyDictionary<string, string> Detail { get; init; } = s_noDetail;

    /// <summary>Whether the same request may succeed when it is made again.</summary>
    public bool Retryable { get; init; }

    /// <summary>One of <see cref="Phases"/>; null until whoever knows says so.</summary>
    public string? Phase { get; set; }

    /// <summary>One of <see cref="RemoteStates"/>; null until whoever knows says so.</summary>
    public string? RemoteState { get; set; }

    /// <summary>Whether nothing of the request reached the server.</summary>
    public bool NotSent { get; init; }

    /// <summary>How long the server wants to be left alone.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Notes when it happened and what is left of it, where nobody did before.</summary>
    public EngineException At(string? phase, string? remoteState)
    {
        Phase ??= phase;
        RemoteState ??= remoteState;
        return this;
    }
}
