using System;
using System.Collections.Generic;
using PyDebug.Heap;
using PyDebug.Internal;
using PyDebug.Profiles;

namespace PyDebug;

/// <summary>
/// Where a process's resident memory is, which types fill it, which of them grow, and who holds those. Read from
/// outside: no thread was held.
/// </summary>
[ToldBy(nameof(Parts), nameof(Types), nameof(Holders))]
public sealed partial record PyHeapReport : IStackProfileSource, IOfPod
{
    internal PyHeapReport()
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

    /// <summary>The process in the container's PID namespace.</summary>
    public int ProcessId { get; internal init; }

    /// <summary>When this was read, in UTC by this machine's clock.</summary>
    public DateTime Timestamp { get; internal init; }

    /// <summary>When the process started, in UTC by the node's clock; tells it from another with its id.</summary>
    public DateTime? StartTime { get; internal init; }

    /// <summary>The process's command line; values that look like secrets are masked.</summary>
    public string? CommandLine { get; internal init; }

    /// <summary>The interpreter's version.</summary>
    public string? PythonVersion { get; internal init; }

    /// <summary>Which allocator the objects lie in, as <c>pymalloc</c>.</summary>
    public string? Allocator { get; internal init; }

    /// <summary>From the first look's beginning to the last one's end, in seconds by the clock.</summary>
    public double DurationSeconds { get; internal init; }

    /// <summary>How many looks there were.</summary>
    public int LookCount { get; internal init; }

    /// <summary>Of how many pools one was looked at: 1 is all. Above 1 there are margins.</summary>
    public int PoolShare { get; internal init; } = 1;

    /// <summary>The longest that a thread of the process was held, in microseconds: always 0.</summary>
    public double HeldMicroseconds { get; internal init; }

    /// <summary>The resident memory at the first look, in bytes.</summary>
    public long ResidentBytes { get; internal init; }

    /// <summary>The resident memory at the last look, in bytes.</summary>
    public long ResidentEndBytes { get; internal init; }

    /// <summary>By how much it grows, in bytes a second; null without at least three looks.</summary>
    public double? ResidentBytesPerSecond { get; internal init; }

    /// <summary>What of the process is swapped out, in bytes; it is not read.</summary>
    public long SwapBytes { get; internal init; }

    /// <summary>
    /// What the container used at the end, in bytes; page cache that can be taken back is left out, files in memory are
    /// not. Null where no control group can be seen.
    /// </summary>
    public long? ContainerBytes { get; internal init; }

    /// <summary>The container's memory limit, in bytes; null where it has none or none can be seen.</summary>
    public long? ContainerLimitBytes { get; internal init; }

    /// <summary>
    /// By how much the container's memory grows, in bytes a second; null where it was looked at too shortly.
    /// </summary>
    public double? ContainerBytesPerSecond { get; internal init; }

    /// <summary>
    /// When the container's limit is reached if its memory grows on like this, in seconds; null where it is not.
    /// </summary>
    public double? SecondsToLimit { get; internal init; }

    /// <summary>The resident memory by part.</summary>
    public IReadOnlyList<PyHeapPart> Parts { get; internal init; } = [];

    /// <summary>The types, the largest first.</summary>
    public IReadOnlyList<PyHeapType> Types { get; internal init; } = [];

    /// <summary>Who holds the objects of types that grow, or of those that were asked for.</summary>
    public IReadOnlyList<PyHeapHolder> Holders { get; internal init; } = [];

    /// <summary>How many types the process has objects of, those that were not asked for included.</summary>
    public int TypeCount { get; internal init; }

    /// <summary>
    /// How many of the types asked for are not in <see cref="Types"/>, being the smallest of too many.
    /// </summary>
    public int OmittedTypeCount { get; internal init; }

    /// <summary>What the omitted types take, in bytes.</summary>
    public long OmittedBytes { get; internal init; }

    /// <summary>How many types the view shows.</summary>
    public int ShownTypeCount { get; internal init; }

    /// <summary>Resident bytes of which nothing is known but that they are there.</summary>
    public long UnknownBytes { get; internal init; }

    /// <summary>The parts' sum in per cent of the resident memory.</summary>
    public double CoveragePercent { get; internal init; }

    /// <summary>How many pools changed at each of several readings and are counted as unknown.</summary>
    public long TornPoolCount { get; internal init; }

    /// <summary>Why the objects were not counted; null where they were.</summary>
    public string? WhyNoCensus { get; internal init; }

    /// <summary>The constant name of that cause, such as <c>HeapAllocator</c>.</summary>
    public string? WhyNoCensusCause { get; internal init; }

    /// <summary>What to do next: where growth lies elsewhere than in objects, where a line of code is wanted.</summary>
    public string? Advice { get; internal init; }

    /// <summary>The CPU time of PyDebug's agent for this process, in seconds.</summary>
    public double? AgentCpuSeconds { get; internal init; }

    /// <summary>What reduces the report's worth: memory of which nothing is known, too few looks.</summary>
    public IReadOnlyList<string> Warnings { get; internal init; } = [];

    /// <summary>Remarks on how the figures were had.</summary>
    public IReadOnlyList<string> Notes { get; internal init; } = [];

    /// <summary>The metrics that there are profiles of.</summary>
    /// <returns><c>Held</c> where holders are known, and <c>Heap</c>.</returns>
    public IReadOnlyList<string> GetStackProfileMetrics() => HeapProfiles.MetricsOf(this);

    /// <summary>
    /// The report as a profile in bytes: <c>Held</c> (by who holds them) or <c>Heap</c> (by part and type).
    /// </summary>
    /// <param name="metric">The metric's name in any case; null for the first there is.</param>
    /// <returns>The profile, or nothing.</returns>
    public IReadOnlyList<StackProfile> GetStackProfiles(string? metric) => HeapProfiles.Of(this, metric);

    /// <summary>The report as <c>namespace/pod/container process 1: RSS 138.7 MiB in 312 types</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => SafeText.Line(
            $"{Namespace}/{PodName}/{ContainerName} process {ProcessId}: {HeapText.Sum(this)}", 300);

    internal PodTarget Target() => new(Namespace, PodName, ContainerName, ProcessId);
}
