using PyDebug.Internal;

namespace PyDebug;

/// <summary>What became of one part, type or holder between two looks at heaps.</summary>
public sealed partial record PyHeapDifference
{
    internal PyHeapDifference()
    {
    }

    /// <summary><c>Part</c>, <c>Type</c> or <c>Holder</c>.</summary>
    public string Kind { get; internal init; } = "";

    /// <summary>The part's name, the type with its module, or the type and the way by which it is held.</summary>
    public string Name { get; internal init; } = "";

    /// <summary><c>Bytes</c>, or <c>Share</c> (of the RSS) where two processes are compared.</summary>
    public string Basis { get; internal init; } = "";

    /// <summary>What it took before, in bytes; null where it was not there.</summary>
    public long? ReferenceBytes { get; internal init; }

    /// <summary>What it took after, in bytes; null where it was not there.</summary>
    public long? DifferenceBytes { get; internal init; }

    /// <summary>How many objects there were before; null for a part.</summary>
    public long? ReferenceCount { get; internal init; }

    /// <summary>How many objects there were after; null for a part.</summary>
    public long? DifferenceCount { get; internal init; }

    /// <summary>Its share of the RSS before, in per cent.</summary>
    public double? ReferencePercent { get; internal init; }

    /// <summary>Its share of the RSS after, in per cent.</summary>
    public double? DifferencePercent { get; internal init; }

    /// <summary>By how much it grew: in bytes, or in points of per cent where shares are compared.</summary>
    public double Difference { get; internal init; }

    /// <summary>Half of the 95 % interval of that, where a part of a heap was looked at; else 0.</summary>
    public double DifferenceMargin { get; internal init; }

    /// <summary>
    /// <c>New</c>, <c>Gone</c>, <c>Grown</c>, <c>Shrunk</c>, <c>Same</c> (it changed by no more than the margin), or
    /// <c>Unlisted</c>: one of the reports does not list all types, and this may be among those left out.
    /// </summary>
    public string Change { get; internal init; } = "";

    /// <summary>The difference as <c>shop.Order: Grown +1.2 MiB</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => SafeText.Line($"{Name}: {Change} {Heap.HeapText.Difference(this)}", 400);
}
