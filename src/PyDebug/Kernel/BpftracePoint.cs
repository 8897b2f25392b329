using System.Globalization;

namespace PyDebug;

/// <summary>One interval of a time series that a bpftrace program kept.</summary>
public sealed record BpftracePoint
{
    internal BpftracePoint()
    {
    }

    /// <summary>When the interval began, as bpftrace writes it, in the node's time.</summary>
    public string Start { get; internal init; } = "";

    /// <summary>The interval's value.</summary>
    public object? Value { get; internal init; }

    /// <summary>The point as <c>2026-11-25 01:02:03.500000000: 12</c>.</summary>
    /// <returns>One line.</returns>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Start}: {Value}");
}
