using System;
using System.Collections.Generic;
using System.Linq;
using PyDebug.Internal;
using PyDebug.Profiles;

namespace PyDebug;

/// <summary>One entry of a map that a bpftrace program kept, as it was when bpftrace printed it.</summary>
[ToldBy(nameof(Map), nameof(Frames))]
public sealed partial record BpftraceMap : IStackProfilePart, IOfPod
{
    internal BpftraceMap()
    {
    }

    /// <summary>The pod's namespace.</summary>
    public string Namespace { get; internal init; } = "";

    /// <summary>The pod's name.</summary>
    public string PodName { get; internal init; } = "";

    /// <summary>The application's container.</summary>
    public string ContainerName { get; internal init; } = "";

    /// <summary>The node that the pod runs on.</summary>
    public string? NodeName { get; internal init; }

    /// <summary>The process whose Python stack is in the key, by its number in the container; else null.</summary>
    public int? ProcessId { get; internal init; }

    /// <summary>When it came, in UTC by this machine's clock.</summary>
    public DateTime Timestamp { get; internal init; }

    /// <summary>The map's name as the program has it, such as <c>@opens</c>.</summary>
    public string Map { get; internal init; } = "";

    /// <summary>
    /// The parts of the key, numbers as numbers; none for a map without keys. Where bpftrace's output does not tell
    /// where one text ends and the next begins, they are one part.
    /// </summary>
    public IReadOnlyList<object> Keys { get; internal init; } = [];

    /// <summary><c>Value</c>, <c>Histogram</c>, <c>Stats</c> or <c>TimeSeries</c>.</summary>
    public string Kind { get; internal init; } = "Value";

    /// <summary>The value: a number or a text; the count of a histogram or of stats; a list for a tuple; of a time
    /// series the last value.</summary>
    public object? Value { get; internal init; }

    /// <summary>How many values went into stats or a histogram; else null.</summary>
    public long? Count { get; internal init; }

    /// <summary>The average of stats; else null.</summary>
    public double? Average { get; internal init; }

    /// <summary>The sum of stats; else null.</summary>
    public double? Total { get; internal init; }

    /// <summary>The buckets of a histogram, the lowest first.</summary>
    public IReadOnlyList<BpftraceBucket> Buckets { get; internal init; } = [];

    /// <summary>The values of a time series, the earliest first.</summary>
    public IReadOnlyList<BpftracePoint> Points { get; internal init; } = [];

    /// <summary>
    /// What the map gathers, such as <c>count</c>, <c>sum</c> or <c>hist</c>, where the program shows it.
    /// </summary>
    public string? Function { get; internal init; }

    /// <summary>
    /// What the program had cost when the entry was printed, by attach point; empty where the kernel's account may not
    /// be read.
    /// </summary>
    public IReadOnlyList<BpftraceCost> Cost { get; internal init; } = [];

    /// <summary>The frames of the stack in the key, innermost first.</summary>
    public IReadOnlyList<StackFrame> Frames { get; internal init; } = [];

    /// <summary>The map's name where the entry's key has a stack.</summary>
    /// <returns>A list of one, or nothing.</returns>
    public IReadOnlyList<string> GetStackProfileMetrics() => IsStack ? [Map] : [];

    /// <summary>
    /// A profile of this entry alone. Entries of one map add up to one profile where they are exported.
    /// </summary>
    /// <param name="metric">The map's name; null for whatever the entry has.</param>
    /// <returns>The profile, or nothing.</returns>
    public IReadOnlyList<StackProfile> GetStackProfiles(string? metric)
        => IsStack && (metric is null || metric.Equals(Map, StringComparison.OrdinalIgnoreCase))
            ? BpftraceProfiles.Of([this])
            : [];

    IReadOnlyList<StackProfile> IStackProfilePart.Together(IEnumerable<IStackProfilePart> parts)
        => BpftraceProfiles.Of(parts.Cast<BpftraceMap>());

    /// <summary>Whether the key has a stack; that of a thread which runs no Python is one, too.</summary>
    private bool IsStack => Frames.Count > 0 || ProcessId is not null;

    /// <summary>The entry as <c>@opens[python3, 12]: 40</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString() => BpftraceText.Entry(this);
}
