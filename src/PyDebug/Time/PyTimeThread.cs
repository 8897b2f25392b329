using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>
/// Where one thread's time went. Its parts add up to <see cref="WallSeconds"/>; what is not known is null, not 0.
/// </summary>
public sealed partial record PyTimeThread : IOfPod
{
    internal PyTimeThread()
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
    public string? Name { get; internal init; }

    /// <summary>Whether it is the process's main thread.</summary>
    public bool IsMainThread { get; internal init; }

    /// <summary>How much of the window the thread lived, in seconds.</summary>
    public double WallSeconds { get; internal init; }

    /// <summary>Seconds on a CPU.</summary>
    public double CpuSeconds { get; internal init; }

    /// <summary>Seconds in which it waited for the GIL.</summary>
    public double GilSeconds { get; internal init; }

    /// <summary>Seconds in which it waited for another lock.</summary>
    public double LockSeconds { get; internal init; }

    /// <summary>Seconds in which it slept.</summary>
    public double SleepSeconds { get; internal init; }

    /// <summary>Seconds in which it waited for any of several descriptors: poll, select, epoll.</summary>
    public double PollSeconds { get; internal init; }

    /// <summary>Seconds in other system calls that block, such as recvfrom or read.</summary>
    public double IoSeconds { get; internal init; }

    /// <summary>Seconds in which it waited for a page of its memory.</summary>
    public double FaultSeconds { get; internal init; }

    /// <summary>
    /// Seconds in which it could have run and no CPU was free, also because its CPU or its control group's quota was
    /// taken away; null where that is not known.
    /// </summary>
    public double? RunnableSeconds { get; internal init; }

    /// <summary>Seconds in which it was stopped or waited for something else.</summary>
    public double OtherSeconds { get; internal init; }

    /// <summary>Seconds of waits that were too short to be read for certain.</summary>
    public double UnprovenSeconds { get; internal init; }

    /// <summary>The sum of the parts above, in seconds; it is <see cref="WallSeconds"/> but for rounding.</summary>
    public double AccountedSeconds { get; internal init; }

    /// <summary>How often it left the CPU; null where that is not known.</summary>
    public long? SwitchCount { get; internal init; }

    /// <summary>How many samples of it were taken on a CPU.</summary>
    public long SampleCount { get; internal init; }

    /// <summary>How many times it was looked at for where it waits.</summary>
    public long ReadCount { get; internal init; }

    /// <summary>How many of these looks found it moving, so that nothing is known of them.</summary>
    public long UnprovenCount { get; internal init; }

    /// <summary>Whether it was started within the window.</summary>
    public bool Began { get; internal init; }

    /// <summary>Whether it ended within the window.</summary>
    public bool Ended { get; internal init; }

    /// <summary>The line that took most of its CPU time, with the application's line that led there.</summary>
    public string? Hottest { get; internal init; }

    /// <summary>That line's part of the thread's CPU time, in per cent.</summary>
    public double? HottestPercent { get; internal init; }

    /// <summary>The line with the longest waits, with the application's line that led there.</summary>
    public string? WaitsAt { get; internal init; }

    /// <summary>What it waits for there: <c>GIL</c>, <c>lock</c>, <c>sleep</c>, or the system call.</summary>
    public string? WaitsFor { get; internal init; }

    /// <summary>The sum of the waits there, in seconds.</summary>
    public double? WaitsSeconds { get; internal init; }

    /// <summary>How many waits there were there; null where they were sampled, not counted.</summary>
    public long? WaitsCount { get; internal init; }

    /// <summary>The longest of the waits there, in seconds; null where they were sampled, not counted.</summary>
    public double? WaitsLongestSeconds { get; internal init; }

    /// <summary>The thread as <c>Thread 3 "worker": CPU 4.9 s of 10 s</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => string.Create(
            CultureInfo.InvariantCulture,
            $"{ThreadText.One(ThreadId, Name)}: CPU {CpuSeconds:0.##} s of {WallSeconds:0.##} s");
}
