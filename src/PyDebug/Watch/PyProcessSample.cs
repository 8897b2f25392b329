using System;
using System.Collections.Generic;
using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>
/// What a process did in one interval, as <c>Watch-PyProcess</c> saw it; or that there was a gap. What the kernel, the
/// container's control group or the interpreter does not show is null, never 0.
/// </summary>
public sealed partial record PyProcessSample : ISessionCarrier, IOfPod
{
    internal PyProcessSample()
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

    /// <summary>The process in the container's PID namespace; of a gap the first one that was watched.</summary>
    public int ProcessId { get; internal init; }

    /// <summary>The end of the interval, in UTC by this machine's clock.</summary>
    public DateTime Timestamp { get; internal init; }

    /// <summary>The process's short name (comm).</summary>
    public string Name { get; internal init; } = "";

    /// <summary><c>running</c>, <c>sleeping</c>, <c>blocked</c> or <c>stopped</c>, by its main thread.</summary>
    public string? State { get; internal init; }

    /// <summary>How long the interval was, in seconds. It grows where a reading takes too much of a CPU.</summary>
    public double IntervalSeconds { get; internal init; }

    /// <summary>CPU time, in per cent of one CPU: two busy threads make 200.</summary>
    public double? CpuPercent { get; internal init; }

    /// <summary>The same in per cent of the tightest CPU limit in sight; null where there is none.</summary>
    public double? CpuLimitPercent { get; internal init; }

    /// <summary>
    /// The periods in which the CPU limit was used up, in per cent of those in which the container ran.
    /// </summary>
    public double? ThrottledPercent { get; internal init; }

    /// <summary>
    /// Time in which its threads could run and waited for a CPU, in per cent of the interval: ten threads that wait all
    /// the time make 1000. Null where the kernel does not count it.
    /// </summary>
    public double? RunQueuePercent { get; internal init; }

    /// <summary>Resident memory (RSS) of the process, in bytes.</summary>
    public long? ResidentBytes { get; internal init; }

    /// <summary>What the container uses that cannot be taken back at once, in bytes.</summary>
    public long? ContainerBytes { get; internal init; }

    /// <summary>The container's memory limit, in bytes; null without one.</summary>
    public long? ContainerLimitBytes { get; internal init; }

    /// <summary>The container's memory in per cent of its limit.</summary>
    public double? ContainerPercent { get; internal init; }

    /// <summary>
    /// How fast the container's memory grows, in bytes a second, by least squares over the last 60 samples; null before
    /// there are three.
    /// </summary>
    public double? ContainerBytesPerSecond { get; internal init; }

    /// <summary>Seconds until the limit at that rate; null where the growth is within its own uncertainty.</summary>
    public double? SecondsToLimit { get; internal init; }

    /// <summary>The number of threads.</summary>
    public int? ThreadCount { get; internal init; }

    /// <summary>The number of open files, sockets and pipes; null where it may not be read.</summary>
    public int? OpenFileCount { get; internal init; }

    /// <summary>The most it may open (the soft limit).</summary>
    public long? OpenFileLimit { get; internal init; }

    /// <summary>The number of its children that live.</summary>
    public int? ChildCount { get; internal init; }

    /// <summary>Page faults in the interval that needed no reading of a disk.</summary>
    public long? MinorFaults { get; internal init; }

    /// <summary>Page faults in the interval that waited for a disk.</summary>
    public long? MajorFaults { get; internal init; }

    /// <summary>Time in which a task of the container waited for a CPU (PSI), in per cent of the interval.</summary>
    public double? CpuPressurePercent { get; internal init; }

    /// <summary>Time in which a task of the container waited for memory, likewise.</summary>
    public double? MemoryPressurePercent { get; internal init; }

    /// <summary>Time in which a task of the container waited for a disk, likewise.</summary>
    public double? IoPressurePercent { get; internal init; }

    /// <summary>How often its threads were looked at in the interval.</summary>
    public int LookCount { get; internal init; }

    /// <summary>The looks at which a thread waited for the GIL, in per cent of all.</summary>
    public double? GilWaitPercent { get; internal init; }

    /// <summary>The thread of the event loop that was away most, by its native id; null where none is known.</summary>
    public long? LoopThreadId { get; internal init; }

    /// <summary>The looks at which it was away from its selector, in per cent.</summary>
    public double? LoopAwayPercent { get; internal init; }

    /// <summary>
    /// The longest row of looks at which it was away, in seconds: a lower bound of how late the loop is. The row may
    /// have begun in an earlier interval.
    /// </summary>
    public double? LoopAwaySeconds { get; internal init; }

    /// <summary>
    /// The asyncio tasks that are not done, counted while the loop waited; null where it was not met waiting.
    /// </summary>
    public int? TaskCount { get; internal init; }

    /// <summary>Why nothing was seen for a while; null in a sample.</summary>
    public string? Gap { get; internal init; }

    /// <summary>How long nothing was seen, in seconds; null where it did not go on.</summary>
    public double? GapSeconds { get; internal init; }

    /// <summary>What is not known, and why; and why the interval has grown.</summary>
    public IReadOnlyList<string> Notes { get; internal init; } = [];

    /// <summary>When the process started, in UTC. Tells it from a later one with the same id.</summary>
    public DateTime? StartTime { get; internal init; }

    /// <summary>The debug container, so that other cmdlets can go on from here.</summary>
    public string DebugContainer { get; internal init; } = "";

    /// <summary>The pod's UID.</summary>
    public string PodUid { get; internal init; } = "";

    /// <summary>The session that it was read through. Travels beside the object and is never serialised.</summary>
    internal PodDebugSession? Session { get; init; }

    PodDebugSession? ISessionCarrier.Session => Session;

    /// <summary>The sample as <c>namespace/pod/container process 1: 97 % CPU, 210 MiB</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
    {
        string what = Gap is not null
            ? $"gap ({Gap})"
            : string.Create(
                CultureInfo.InvariantCulture, $"{CpuPercent ?? 0:0} % CPU, {Amounts.Bytes(ResidentBytes ?? 0)}");
        return SafeText.Line($"{Namespace}/{PodName}/{ContainerName} process {ProcessId}: {what}", 200);
    }
}
