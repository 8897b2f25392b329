using System.Collections.Generic;
using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>The time that one thread spent off the CPU with one stack for one reason.</summary>
public sealed partial record PyTimeWait : IOfPod
{
    internal PyTimeWait()
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

    /// <summary>The thread's native id in the container's PID namespace.</summary>
    public long ThreadId { get; internal init; }

    /// <summary>The thread's name, where it has one.</summary>
    public string? Thread { get; internal init; }

    /// <summary>
    /// <c>Gil</c>, <c>Lock</c>, <c>Sleep</c>, <c>Poll</c>, <c>Io</c> (another system call that blocks), <c>Fault</c>
    /// (a page), <c>Runnable</c> (no CPU was free), <c>Preempted</c> (its CPU was taken away), <c>Stopped</c>,
    /// <c>Other</c>, or <c>Unproven</c> (waits too short to be read for certain).
    /// </summary>
    public string Reason { get; internal init; } = "";

    /// <summary>The system call that the thread was in, such as <c>recvfrom</c>; null where it was in none.</summary>
    public string? Call { get; internal init; }

    /// <summary>The sum of the waits, in seconds.</summary>
    public double Seconds { get; internal init; }

    /// <summary>The sampling error of <see cref="Seconds"/> (one standard error), in seconds.</summary>
    public double? StandardErrorSeconds { get; internal init; }

    /// <summary>How many samples this rests on.</summary>
    public long SampleCount { get; internal init; }

    /// <summary>How many waits there were; null where they were sampled, not counted.</summary>
    public long? Count { get; internal init; }

    /// <summary>The longest of the waits, in seconds; null where they were sampled, not counted.</summary>
    public double? LongestSeconds { get; internal init; }

    /// <summary>The frames, innermost first; none where they are not known.</summary>
    public IReadOnlyList<StackFrame> Frames { get; internal init; } = [];

    /// <summary>The time, the reason and the frames, from the innermost outwards.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => string.Create(
            CultureInfo.InvariantCulture,
            $"{Seconds:0.###} s {TimeReason.Label(Reason, Call)}: {TimeText.Where(Frames)}");
}
