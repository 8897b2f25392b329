using System;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>One request to the agent.</summary>
internal sealed class AgentRequest
{
    public required string Op { get; init; }

    /// <summary>The operation's own fields; version, operation and deadline are added when it is sent.</summary>
    public JsonObject Body { get; init; } = [];

    /// <summary>Whether it is to be done however little memory is left.</summary>
    public bool AllowLowMemory { get; init; }

    /// <summary>
    /// Whether the debug container was just made, and is to end where there is too little memory for more.
    /// </summary>
    public bool NewContainer { get; init; }

    /// <summary>Time the agent may take. It ends itself 10 s after that.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long a connection is tried; null for as long as the agent may take, and two minutes at most.
    /// </summary>
    public TimeSpan? ConnectWithin { get; init; }

    /// <summary>What the request was at when it ended; one of <see cref="Phases"/>.</summary>
    public string? Phase { get; set; }

    /// <summary>What it left in the pod; one of <see cref="RemoteStates"/>.</summary>
    public string? RemoteState { get; set; }

    /// <summary>Opens the payload an N frame asks for; null, or a null stream, cancels the request.</summary>
    public Func<JsonObject, CancellationToken, Task<Stream?>>? Provide { get; init; }
}
