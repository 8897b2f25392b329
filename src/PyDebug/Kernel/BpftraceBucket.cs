using System.Globalization;

namespace PyDebug;

/// <summary>One bucket of a histogram that a bpftrace program kept.</summary>
public sealed record BpftraceBucket
{
    internal BpftraceBucket()
    {
    }

    /// <summary>The least value in the bucket; null where it is open below.</summary>
    public long? Minimum { get; internal init; }

    /// <summary>The greatest value in the bucket; null where it is open above.</summary>
    public long? Maximum { get; internal init; }

    /// <summary>How many values fell into it.</summary>
    public long Count { get; internal init; }

    /// <summary>The bucket as <c>4..7: 12</c>.</summary>
    /// <returns>One line.</returns>
    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{Minimum}..{Maximum}: {Count}");
}
