using System.Collections.Generic;

namespace PyDebug.Internal;

/// <summary>What the agent said about a whole process when it read the stacks or tasks.</summary>
internal sealed class StackSnapshot
{
    /// <summary>How many threads were running.</summary>
    public int Running { get; init; }

    /// <summary>The longest single hold, in microseconds; null where nothing was held.</summary>
    public double? HeldMicroseconds { get; init; }

    /// <summary>Whether the interpreter has no GIL.</summary>
    public bool FreeThreaded { get; init; }

    /// <summary>What is missing, and what the stacks cannot show.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Remarks on how the stacks were had.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
