using System;
using System.Collections.Generic;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>Threads of one process that do the same at the same place, as one record.</summary>
public sealed partial record PyThreadGroup : IOfPod, IEqualOnes
{
    internal PyThreadGroup()
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

    /// <summary>How many threads there are.</summary>
    public long Count { get; internal init; }

    /// <summary>The native ids of the threads, in the container's PID namespace.</summary>
    public IReadOnlyList<long> ThreadIds { get; internal init; } = [];

    /// <summary>The distinct names of the threads.</summary>
    public IReadOnlyList<string> Names { get; internal init; } = [];

    /// <summary><c>running</c>, <c>idle</c> or <c>stopped</c>.</summary>
    public string State { get; internal init; } = "";

    /// <summary>What they wait for; without the descriptor where that is not the same for all.</summary>
    public string? WaitsFor { get; internal init; }

    /// <summary>Whether one of them holds the GIL; null where that could not be told, or there is none.</summary>
    public bool? HoldsGil { get; internal init; }

    /// <summary>CPU time that all of them have used, in seconds.</summary>
    public double? CpuSeconds { get; internal init; }

    /// <summary>Why there is no stack, where there is none.</summary>
    public string? Error { get; internal init; }

    /// <summary>The frames, innermost first.</summary>
    public IReadOnlyList<StackFrame> Frames { get; internal init; } = [];

    /// <summary>How many frames further out are left out, where the stack is too deep.</summary>
    public long OmittedFrameCount { get; internal init; }

    /// <summary>The interpreter's version.</summary>
    public string? PythonVersion { get; internal init; }

    /// <summary>The process's command line; values that look like secrets are masked.</summary>
    public string? CommandLine { get; internal init; }

    /// <summary>What is said about the process as a whole. Travels beside the object and is never serialised.</summary>
    internal StackSnapshot? Snapshot { get; init; }

    /// <summary>The number of threads and their stack, one frame a line.</summary>
    /// <returns>Lines that are safe to show.</returns>
    public override string ToString() => StackText.Whole(this);
}
