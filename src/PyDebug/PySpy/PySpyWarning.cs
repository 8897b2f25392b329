namespace PyDebug.Tools.PySpy;

/// <summary>Something that is wrong with a recording.</summary>
/// <param name="Text">What it is, in a sentence.</param>
/// <param name="AgentId">The id of the agent's own warning of the same, where it gives one.</param>
/// <param name="IsTold">Whether it was written before the recording began.</param>
internal sealed record PySpyWarning(string Text, string? AgentId = null, bool IsTold = false);
