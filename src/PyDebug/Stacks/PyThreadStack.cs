using System;
using System.Collections.Generic;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>The stack of one thread of a Python process, and what the thread is doing.</summary>
public sealed partial record PyThreadStack : IOfPod
{
    internal PyThreadStack()
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

    /// <summary>The thread's native id in the container's PID namespace.</summary>
    public long ThreadId { get; internal init; }

    /// <summary>The thread's name, where it has one.</summary>
    public string? Name { get; internal init; }

    /// <summary>Whether it is the process's main thread.</summary>
    public bool IsMainThread { get; internal init; }

    /// <summary><c>running</c>, <c>idle</c>, or <c>stopped</c> (SIGSTOP, or a debugger).</summary>
    public string State { get; internal init; } = "";

    /// <summary>What an idle thread waits for: the GIL, a lock, a system call with its descriptor.</summary>
    public string? WaitsFor { get; internal init; }

    /// <summary>Whether it holds the GIL; null where that could not be told, or there is none.</summary>
    public bool? HoldsGil { get; internal init; }

    /// <summary>CPU time that the thread has used, in seconds.</summary>
    public double? CpuSeconds { get; internal init; }

    /// <summary>
    /// How the stack was had: <c>idle</c> (nothing was held), <c>stopped</c> (held for the read), <c>reread</c> (read
    /// twice, nothing was held) or <c>none</c>.
    /// </summary>
    public string Source { get; internal init; } = "";

    /// <summary>For how long the thread was held, in microseconds; null where it was not.</summary>
    public double? HeldMicroseconds { get; internal init; }

    /// <summary>Why there is no stack, where there is none.</summary>
    public string? Error { get; internal init; }

    /// <summary>The frames, innermost first.</summary>
    public IReadOnlyList<StackFrame> Frames { get; internal init; } = [];

    /// <summary>
    /// How many frames further out are left out, where the stack is too deep; of a running thread, about.
    /// </summary>
    public long OmittedFrameCount { get; internal init; }

    /// <summary>The kernel's one-letter state of the thread, such as S or R.</summary>
    public string? KernelState { get; internal init; }

    /// <summary>The interpreter's version.</summary>
    public string? PythonVersion { get; internal init; }

    /// <summary>The process's command line; values that look like secrets are masked.</summary>
    public string? CommandLine { get; internal init; }

    /// <summary>What is said about the process as a whole. Travels beside the object and is never serialised.</summary>
    internal StackSnapshot? Snapshot { get; init; }

    /// <summary>The whole stack, one frame a line.</summary>
    /// <returns>Lines that are safe to show.</returns>
    public override string ToString() => StackText.Whole(this);

    internal PodTarget Target() => new(Namespace, PodName, ContainerName, ProcessId);
}
