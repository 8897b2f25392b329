using System;
using System.Collections.Generic;
using PyDebug.Internal;
using PyDebug.Profiles;

namespace PyDebug;

/// <summary>
/// Where the memory of a process went while memray tracked it: what was allocated within the window and not freed in
/// it, what there was at its peak, and how resident memory and the heap grew. A figure that is null is not known.
/// </summary>
[ToldBy(nameof(Allocations), nameof(PeakAllocations))]
public sealed partial record MemrayReport : IStackProfileSource, IOfPod
{
    internal MemrayReport()
    {
    }

    /// <summary>The pod's namespace; empty where the report was made of a capture in a file.</summary>
    public string Namespace { get; internal init; } = "";

    /// <summary>The pod's name; empty where the report was made of a capture in a file.</summary>
    public string PodName { get; internal init; } = "";

    /// <summary>The application's container; empty where the report was made of a capture in a file.</summary>
    public string ContainerName { get; internal init; } = "";

    /// <summary>The node that the pod runs on.</summary>
    public string? NodeName { get; internal init; }

    /// <summary>The process in the container's PID namespace.</summary>
    public int ProcessId { get; internal init; }

    /// <summary>When this was read, in UTC by this machine's clock.</summary>
    public DateTime Timestamp { get; internal init; }

    /// <summary>The process's command line; values that look like secrets are masked.</summary>
    public string? CommandLine { get; internal init; }

    /// <summary>The interpreter's version; null where the report was made of a capture in a file.</summary>
    public string? PythonVersion { get; internal init; }

    /// <summary>The version of memray.</summary>
    public string? MemrayVersion { get; internal init; }

    /// <summary>Whether frames of machine code are among those of Python.</summary>
    public bool Native { get; internal init; }

    /// <summary>Whether every object of Python's own allocator was tracked, not its arenas alone.</summary>
    public bool PythonAllocators { get; internal init; }

    /// <summary>Whether memray kept sums instead of single allocations.</summary>
    public bool Aggregated { get; internal init; }

    /// <summary>Python's own allocator in the process, such as <c>pymalloc</c>.</summary>
    public string? PythonAllocator { get; internal init; }

    /// <summary>When tracking began, in UTC by the node's clock.</summary>
    public DateTime? Started { get; internal init; }

    /// <summary>How long was tracked, in seconds by the clock.</summary>
    public double DurationSeconds { get; internal init; }

    /// <summary>
    /// Why tracking ended: <c>Time</c> (it was over), <c>Limit</c> (<c>-MaximumCaptureBytes</c>), <c>Memory</c> (the
    /// pod's limit was near), <c>Exited</c> (the process ended), <c>Tracker</c> (memray ended by itself),
    /// <c>Incomplete</c> (a capture in a file that has no end, as where the process was killed); null where the report
    /// was made of another capture in a file.
    /// </summary>
    public string? EndReason { get; internal init; }

    /// <summary>How long one thread of the process was stopped to get in, in microseconds.</summary>
    public double? HeldMicroseconds { get; internal init; }

    /// <summary>The longest gap that another Python thread of the process saw meanwhile, in milliseconds.</summary>
    public double? PauseMilliseconds { get; internal init; }

    /// <summary>The longest gap of the same kind just before, in milliseconds.</summary>
    public double? UsualPauseMilliseconds { get; internal init; }

    /// <summary><c>Thread</c> (a call in one of its threads) or <c>RemoteDebugging</c> (the interpreter was asked, by
    /// PEP 768).</summary>
    public string? AttachMethod { get; internal init; }

    /// <summary>The thread that memray was started in, by its native id.</summary>
    public long? AttachThreadId { get; internal init; }

    /// <summary>Where that thread was, such as the system call that it waited in.</summary>
    public string? AttachPlace { get; internal init; }

    /// <summary>How long it took to start the tracker, in seconds.</summary>
    public double? AttachSeconds { get; internal init; }

    /// <summary>
    /// What the same was tried out with before: <c>Same</c> (the process's own interpreter), <c>Image</c> (another one
    /// of its image) or <c>Own</c> (the debug container's).
    /// </summary>
    public string? Rehearsal { get; internal init; }

    /// <summary>The interpreter of the rehearsal.</summary>
    public string? RehearsalDetail { get; internal init; }

    /// <summary>The memory limit that the process lives under, in bytes; null where there is none.</summary>
    public long? ContainerLimitBytes { get; internal init; }

    /// <summary>What was used under that limit at the end, in bytes.</summary>
    public long? ContainerBytes { get; internal init; }

    /// <summary>
    /// How many maps of libraries were left in the process, unused, when tracking had ended; null where the process was
    /// gone or the report was made of a capture in a file.
    /// </summary>
    public int? LeftMappingCount { get; internal init; }

    /// <summary>The libraries that these are of.</summary>
    public IReadOnlyList<string> LeftLibraries { get; internal init; } = [];

    /// <summary>When the limit is reached if memory grows on like this, in seconds from the end; null where it does not
    /// grow or there is no limit.</summary>
    public double? SecondsToLimit { get; internal init; }

    /// <summary>How fast resident memory grew, in bytes a second; null where that cannot be told.</summary>
    public double? ResidentBytesPerSecond { get; internal init; }

    /// <summary>
    /// How fast the container's memory grew, in bytes a second: files in memory count, page cache that can be taken
    /// back does not. Null where that cannot be told.
    /// </summary>
    public double? ContainerBytesPerSecond { get; internal init; }

    /// <summary>The number of allocations within the window.</summary>
    public long? AllocationCount { get; internal init; }

    /// <summary>The sum of all allocations, freed ones too, in bytes; null with <c>-Aggregate</c>.</summary>
    public long? AllocatedBytes { get; internal init; }

    /// <summary>What was allocated within the window and not freed in it, in bytes.</summary>
    public long? LeakedBytes { get; internal init; }

    /// <summary>How many allocations that is.</summary>
    public long? LeakedCount { get; internal init; }

    /// <summary><see cref="LeakedBytes"/> for each second of the window.</summary>
    public double? LeakedBytesPerSecond { get; internal init; }

    /// <summary>The most that was allocated at one time, in bytes, of what was allocated within the window.</summary>
    public long? PeakBytes { get; internal init; }

    /// <summary>When that was, in seconds from the beginning.</summary>
    public double? PeakAtSeconds { get; internal init; }

    /// <summary>What was not freed, by stack, allocator and thread, the largest first.</summary>
    public IReadOnlyList<MemrayAllocation> Allocations { get; internal init; } = [];

    /// <summary>What there was at the peak, by stack, allocator and thread, the largest first.</summary>
    public IReadOnlyList<MemrayAllocation> PeakAllocations { get; internal init; } = [];

    /// <summary>Resident memory and heap over time.</summary>
    public IReadOnlyList<MemrayMemoryPoint> Timeline { get; internal init; } = [];

    /// <summary>How often each allocator was called; empty with <c>-Aggregate</c>.</summary>
    public IReadOnlyList<MemrayAllocatorCount> Allocators { get; internal init; } = [];

    /// <summary>How many allocations there were of which size; empty with <c>-Aggregate</c>.</summary>
    public IReadOnlyList<MemraySizeClass> Sizes { get; internal init; } = [];

    /// <summary>How many of the smallest stacks <see cref="Allocations"/> leaves out.</summary>
    public long OmittedStackCount { get; internal init; }

    /// <summary>Their bytes.</summary>
    public long OmittedBytes { get; internal init; }

    /// <summary>Their allocations.</summary>
    public long OmittedCount { get; internal init; }

    /// <summary>How many of the smallest stacks <see cref="PeakAllocations"/> leaves out.</summary>
    public long PeakOmittedStackCount { get; internal init; }

    /// <summary>Their bytes.</summary>
    public long PeakOmittedBytes { get; internal init; }

    /// <summary>Their allocations.</summary>
    public long PeakOmittedCount { get; internal init; }

    /// <summary>The size of the capture, in bytes.</summary>
    public long? CaptureBytes { get; internal init; }

    /// <summary>
    /// Where the debug container kept it: <c>Disk</c>, or <c>Memory</c> where it has no disk to write to. There it
    /// counts against the memory limit, and is held to less.
    /// </summary>
    public string? CapturePlace { get; internal init; }

    /// <summary>The file that the capture was kept in, or that the report was made of.</summary>
    public string? CapturePath { get; internal init; }

    /// <summary>What reduces the report's worth: a target that ended, a capture that was cut, deep stacks.</summary>
    public IReadOnlyList<string> Warnings { get; internal init; } = [];

    /// <summary>The metrics that there are profiles of.</summary>
    /// <returns><c>Leaked</c> and <c>HighWatermark</c> (bytes), and the same two by the number of
    /// allocations.</returns>
    public IReadOnlyList<string> GetStackProfileMetrics() => MemrayProfiles.Metrics;

    /// <summary>
    /// The report as a profile: <c>Leaked</c> (bytes allocated within the window and not freed in it),
    /// <c>HighWatermark</c> (bytes at the peak), <c>LeakedAllocations</c> or <c>HighWatermarkAllocations</c>.
    /// </summary>
    /// <param name="metric">The metric's name in any case; null for <c>Leaked</c>.</param>
    /// <returns>The profile, or nothing.</returns>
    public IReadOnlyList<StackProfile> GetStackProfiles(string? metric) => MemrayProfiles.Of(this, metric);

    /// <summary>
    /// The report as <c>namespace/pod/container process 1: 38.2 MiB kept in 30.0 s, peak 41.0 MiB</c>.
    /// </summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => SafeText.Line($"{MemrayText.Where(this)}: {MemrayText.Sums(this)}", 300);

    internal PodTarget Target() => new(Namespace, PodName, ContainerName, ProcessId);
}
