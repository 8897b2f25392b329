using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>How many allocations of the window had a size within bounds.</summary>
public sealed partial record MemraySizeClass
{
    internal MemraySizeClass()
    {
    }

    /// <summary>The least size, in bytes.</summary>
    public long MinimumBytes { get; internal init; }

    /// <summary>The largest size, in bytes.</summary>
    public long MaximumBytes { get; internal init; }

    /// <summary>The number of allocations.</summary>
    public long Count { get; internal init; }

    /// <summary>The bounds and the count as <c>512 B to 4.0 KiB: 1,204</c>.</summary>
    /// <returns>One line.</returns>
    public override string ToString()
        => string.Create(
            CultureInfo.InvariantCulture,
            $"{Amounts.Bytes(MinimumBytes)} to {Amounts.Bytes(MaximumBytes)}: {Count:#,0}");
}
