using System;
using System.Collections.Generic;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>An asyncio task: what it awaits, through which coroutines, and for whom.</summary>
public sealed partial record PyTask : IOfPod
{
    internal PyTask()
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

    /// <summary>The task's identity within the process.</summary>
    public string Id { get; internal init; } = "";

    /// <summary>The task's name.</summary>
    public string Name { get; internal init; } = "";

    /// <summary><c>running</c>, <c>waiting</c>, <c>ready</c> or <c>done</c>.</summary>
    public string State { get; internal init; } = "";

    /// <summary>The number of the event loop that the task belongs to, from 0.</summary>
    public int? Loop { get; internal init; }

    /// <summary>The native id of the loop's thread; null where the loop is not running.</summary>
    public long? ThreadId { get; internal init; }

    /// <summary>What its innermost coroutine awaits: a future, an event, a lock, sleep.</summary>
    public string? Awaits { get; internal init; }

    /// <summary>The ids of the tasks that it waits for.</summary>
    public IReadOnlyList<string> WaitsFor { get; internal init; } = [];

    /// <summary>The ids of the tasks that wait for it.</summary>
    public IReadOnlyList<string> Waiters { get; internal init; } = [];

    /// <summary>The coroutines, innermost first.</summary>
    public IReadOnlyList<StackFrame> Frames { get; internal init; } = [];

    /// <summary>The interpreter's version.</summary>
    public string? PythonVersion { get; internal init; }

    /// <summary>Where it stands in the tree of tasks. Travels beside the object and is never serialised.</summary>
    internal TaskPlace? Place { get; init; }

    /// <summary>The task and its coroutines, one a line.</summary>
    /// <returns>Lines that are safe to show.</returns>
    public override string ToString() => TaskText.Whole(this);
}
