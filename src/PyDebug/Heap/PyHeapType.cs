using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>
/// What a process has of one type. Rates are null where there was one look, margins 0 where all was counted.
/// </summary>
public sealed partial record PyHeapType : IOfPod
{
    internal PyHeapType()
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

    /// <summary>The type with its module, as <c>shop.Session</c>; that of a builtin has none.</summary>
    public string Type { get; internal init; } = "";

    /// <summary>The type's qualified name.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>The type's module.</summary>
    public string Module { get; internal init; } = "";

    /// <summary>
    /// How many objects there were at the last look. Static ones, which take no heap, are not counted.
    /// </summary>
    public long Count { get; internal init; }

    /// <summary>What the objects themselves took, in bytes.</summary>
    public long ObjectBytes { get; internal init; }

    /// <summary>
    /// What they own elsewhere, in bytes: keys, items, members, blocks, buffers, values of instances.
    /// </summary>
    public long TableBytes { get; internal init; }

    /// <summary>Both together, in bytes.</summary>
    public long Bytes { get; internal init; }

    /// <summary>Half of the 95 % interval of <see cref="Count"/>, where a part of the pools was looked at.</summary>
    public long CountMargin { get; internal init; }

    /// <summary>Half of the 95 % interval of <see cref="Bytes"/>, where a part of the pools was looked at.</summary>
    public long BytesMargin { get; internal init; }

    /// <summary>How many more there are a second.</summary>
    public double? CountPerSecond { get; internal init; }

    /// <summary>Half of the interval that holds that rate in 95 of 100 cases.</summary>
    public double? CountPerSecondMargin { get; internal init; }

    /// <summary>How many bytes more they take a second.</summary>
    public double? BytesPerSecond { get; internal init; }

    /// <summary>Half of the interval that holds that rate in 95 of 100 cases.</summary>
    public double? BytesPerSecondMargin { get; internal init; }

    /// <summary>
    /// <c>Yes</c>, <c>No</c>, <c>Unsure</c> or <c>Stepped</c> (most of it at once); null with fewer than four looks.
    /// Its bound is wider than the margins': it holds for all types that were looked at together.
    /// </summary>
    public string? Grows { get; internal init; }

    /// <summary>
    /// How many were born within the looks and were still there at the end, at most: an address that is used again
    /// counts, too. Null where that was not looked at.
    /// </summary>
    public long? BornAndKept { get; internal init; }

    /// <summary>The type as <c>shop.Session: 7,660 objects, 478.8 KiB</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => string.Create(
            CultureInfo.InvariantCulture,
            $"{SafeText.Line(Type, 200)}: {Count:#,0} objects, {Amounts.Bytes(Bytes)}");
}
