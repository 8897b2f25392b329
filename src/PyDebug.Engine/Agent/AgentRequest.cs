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

    /// <summary>Time the agent may take. It ends itself 10 s after that.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Opens the payload an N frame asks for; null, or a null stream, cancels the request.</summary>
    public Func<JsonObject, CancellationToken, Task<Stream?>>? Provide { get; init; }
}
