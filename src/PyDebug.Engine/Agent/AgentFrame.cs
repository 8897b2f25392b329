namespace PyDebug.Engine;

/// <summary>A frame the agent sent: H, R, P, F, W or E.</summary>
internal sealed class AgentFrame
{
    public required char Kind { get; init; }

    public required byte[] Payload { get; init; }
}
