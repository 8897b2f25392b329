using System.Collections.Generic;
using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>One distinct stack of one thread in a profile, with all that was seen of it.</summary>
public sealed record StackSample
{
    internal StackSample()
    {
    }

    /// <summary>The thread's native id, where the profile has one.</summary>
    public long? ThreadId { get; internal init; }

    /// <summary>The thread's name, where it has one.</summary>
    public string? Thread { get; internal init; }

    /// <summary>The sum, in the profile's unit.</summary>
    public double Value { get; internal init; }

    /// <summary>How often the stack was seen.</summary>
    public long Count { get; internal init; }

    /// <summary>
    /// How the time was spent in a profile that knows: <c>Cpu</c>, <c>Gil</c>, <c>Lock</c> and the other reasons of
    /// <see cref="PyTimeWait.Reason"/>; else null.
    /// </summary>
    public string? Reason { get; internal init; }

    /// <summary>The system call that the thread was in, where the profile knows it.</summary>
    public string? Call { get; internal init; }

    /// <summary>The frames, innermost first.</summary>
    public IReadOnlyList<StackFrame> Frames { get; internal init; } = [];

    /// <summary>The value and the frames, from the innermost outwards.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{Value:0.######} {FrameText.Joined(Frames)}");
}
