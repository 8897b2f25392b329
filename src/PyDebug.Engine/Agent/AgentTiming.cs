using System;

namespace PyDebug.Engine;

/// <summary>The times of an exchange with the agent.</summary>
internal sealed class AgentTiming
{
    /// <summary>How often the agent is told that we are there; it goes after 25 s without.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Longest silence of the server; the agent speaks every 3 s.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>What is added to the request's deadline: the agent ends itself 10 s after it.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Longest wait for the other side when there is nothing left to say.</summary>
    public TimeSpan Farewell { get; init; } = TimeSpan.FromSeconds(3);

    public TimeSpan Tick { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>What silence, deadlines and the keep-alive are measured by.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
