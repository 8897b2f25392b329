using PyDebug.Internal;

namespace PyDebug;

/// <summary>One thread's part of a profile.</summary>
public sealed record ProfileThread
{
    internal ProfileThread()
    {
    }

    /// <summary>The process that the thread belongs to; null where a file does not say.</summary>
    public int? ProcessId { get; internal init; }

    /// <summary>The thread's native id, where the profile has one.</summary>
    public long? ThreadId { get; internal init; }

    /// <summary>The thread's name, where it has one.</summary>
    public string? Name { get; internal init; }

    /// <summary>Whether it is the process's main thread; null where the ids that are known do not tell.</summary>
    public bool? IsMainThread { get; internal init; }

    /// <summary>The sum of the thread's samples, in the profile's unit.</summary>
    public double Value { get; internal init; }

    /// <summary>The number of the thread's samples.</summary>
    public long SampleCount { get; internal init; }

    /// <summary>
    /// The thread's CPU time meanwhile by the kernel's own counter, in seconds, to hold its samples against; null where
    /// it is not known.
    /// </summary>
    public double? CpuSeconds { get; internal init; }

    /// <summary>The thread as <c>Thread 3 "worker"</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString() => ThreadText.One(ThreadId, Name);
}
