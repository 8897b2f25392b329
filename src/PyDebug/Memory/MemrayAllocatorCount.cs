using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>How often one allocator was called within the window.</summary>
public sealed record MemrayAllocatorCount
{
    internal MemrayAllocatorCount()
    {
    }

    /// <summary>The allocator by memray's name, such as <c>MALLOC</c>.</summary>
    public string Allocator { get; internal init; } = "";

    /// <summary>The number of allocations.</summary>
    public long Count { get; internal init; }

    /// <summary>The allocator and its count as <c>MALLOC: 19,120</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{SafeText.Line(Allocator, 40)}: {Count:#,0}");
}
