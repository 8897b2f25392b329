using System;
using System.ComponentModel;
using PyDebug.Commands;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>A Python process in the target container.</summary>
public sealed partial record PyProcess : IOfPod
{
    internal PyProcess()
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

    /// <summary>The parent's process id; 0 where it is outside the container.</summary>
    public int ParentProcessId { get; internal init; }

    /// <summary>The process's short name (comm).</summary>
    public string Name { get; internal init; } = "";

    /// <summary>The command line; values that look like secrets are masked.</summary>
    public string CommandLine { get; internal init; } = "";

    /// <summary>The path of the interpreter or program.</summary>
    public string? Executable { get; internal init; }

    /// <summary>The version, such as 3.13.5; null where it could not be told.</summary>
    public string? PythonVersion { get; internal init; }

    /// <summary>CPython, PyPy or another; null where it could not be told.</summary>
    public string? Implementation { get; internal init; }

    /// <summary>
    /// <c>Master</c> (has workers), <c>Worker</c>, <c>Helper</c> (multiprocessing's fork server or resource tracker) or
    /// <c>Single</c>.
    /// </summary>
    public string? Role { get; internal init; }

    /// <summary>
    /// <c>running</c>, <c>sleeping</c>, <c>blocked</c> (in a call that nothing interrupts) or <c>stopped</c> (SIGSTOP,
    /// or a debugger), by its main thread; null where it could not be told.
    /// </summary>
    public string? State { get; internal init; }

    /// <summary>The user's number.</summary>
    public long? UserId { get; internal init; }

    /// <summary>The number of threads.</summary>
    public int? ThreadCount { get; internal init; }

    /// <summary>Resident memory (RSS), in bytes.</summary>
    public long? ResidentBytes { get; internal init; }

    /// <summary>CPU time used since the start, in seconds.</summary>
    public double? CpuSeconds { get; internal init; }

    /// <summary>When the process started, in UTC. Tells it from a later one with the same id.</summary>
    public DateTime? StartTime { get; internal init; }

    /// <summary>Whether it is in the target container, where the pod shares processes among several.</summary>
    public bool? InTargetContainer { get; internal init; }

    /// <summary>The name of the debug container that sees it.</summary>
    public string DebugContainer { get; internal init; } = "";

    /// <summary>The pod's UID.</summary>
    public string PodUid { get; internal init; } = "";

    /// <summary>The session that it was read through. Travels beside the object and is never serialised.</summary>
    internal PodDebugSession? Session { get; init; }

    /// <summary>The process as <c>namespace/pod/container process 1: command line</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => SafeText.Line($"{Namespace}/{PodName}/{ContainerName} process {ProcessId}: {CommandLine}", 200);

    /// <summary>How long it had run when it was looked at, by the node's clock, in seconds. Never serialised.</summary>
    internal double? AgeSeconds { get; init; }

    internal PodTarget Target() => new(Namespace, PodName, ContainerName, ProcessId);
}
