namespace PyDebug.Engine;

/// <summary>One thing that the agent can be asked.</summary>
/// <param name="Module">The agent's module that answers it, within the agent's package.</param>
/// <param name="Needs">The bytes of memory that it takes beside the agent itself.</param>
/// <param name="Words">What needs them.</param>
internal sealed record AgentOperation(string Module, long Needs, string Words);
