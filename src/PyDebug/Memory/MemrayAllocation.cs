using System.Collections.Generic;
using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>What one thread allocated with one stack by one allocator.</summary>
public sealed partial record MemrayAllocation : IOfPod
{
    internal MemrayAllocation()
    {
    }

    /// <summary>The pod's namespace.</summary>
    public string Namespace { get; internal init; } = "";

    /// <summary>The pod's name.</summary>
    public string PodName { get; internal init; } = "";

    /// <summary>The application's container.</summary>
    public string ContainerName { get; internal init; } = "";

    /// <summary>The process in the container's PID namespace.</summary>
    public int ProcessId { get; internal init; }

    /// <summary>The innermost Python function; empty where no Python code led to it.</summary>
    public string Function { get; internal init; } = "";

    /// <summary>That function's source file as the interpreter knows it.</summary>
    public string FileName { get; internal init; } = "";

    /// <summary>The line in it; null where it is not known.</summary>
    public int? Line { get; internal init; }

    /// <summary>
    /// What was called, such as <c>MALLOC</c>, <c>MMAP</c> or <c>PYMALLOC_MALLOC</c>, by memray's names.
    /// </summary>
    public string Allocator { get; internal init; } = "";

    /// <summary>The thread's number in the capture, which is memray's own.</summary>
    public long? MemrayThreadId { get; internal init; }

    /// <summary>The thread's name, where it has one.</summary>
    public string? Thread { get; internal init; }

    /// <summary>The sum of the allocations, in bytes.</summary>
    public long Bytes { get; internal init; }

    /// <summary>The number of allocations.</summary>
    public long Count { get; internal init; }

    /// <summary>The frames, innermost first; none where they are not known.</summary>
    public IReadOnlyList<StackFrame> Frames { get; internal init; } = [];

    /// <summary>The size, the count and the frames, from the innermost outwards.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => string.Create(
            CultureInfo.InvariantCulture,
            $"{Amounts.Bytes(Bytes)} in {Count:#,0}: {MemrayText.Stack(this)}");
}
