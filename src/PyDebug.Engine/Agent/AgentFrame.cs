namespace PyDebug.Engine;

/// <summary>A frame the agent sent: H, R, P, F, G, W or E.</summary>
internal sealed class AgentFrame
{
    public required char Kind { get; init; }

    /// <summary>What it holds. Bytes of a file are there until the next frame is read.</summary>
    public required byte[] Payload { get; init; }
}
