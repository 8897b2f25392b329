namespace PyDebug.Engine;

/// <summary>How a request ended, proven by its trailer.</summary>
internal sealed class AgentOutcome
{
    public required int ExitCode { get; init; }

    /// <summary>What the agent wrote to standard error, at most the last 64 KiB.</summary>
    public required string StandardError { get; init; }
}
