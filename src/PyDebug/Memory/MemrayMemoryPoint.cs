using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>What memory there was at one time of the window.</summary>
public sealed partial record MemrayMemoryPoint
{
    internal MemrayMemoryPoint()
    {
    }

    /// <summary>The time, in seconds from the beginning.</summary>
    public double Seconds { get; internal init; }

    /// <summary>The process's resident memory (RSS), in bytes.</summary>
    public long ResidentBytes { get; internal init; }

    /// <summary>What was allocated within the window and not freed by then, in bytes.</summary>
    public long HeapBytes { get; internal init; }

    /// <summary>The point as <c>12.5 s: RSS 61 MiB, heap 12 MiB</c>.</summary>
    /// <returns>One line.</returns>
    public override string ToString()
        => string.Create(
            CultureInfo.InvariantCulture,
            $"{Seconds:0.0##} s: RSS {Amounts.Bytes(ResidentBytes)}, heap {Amounts.Bytes(HeapBytes)}");
}
