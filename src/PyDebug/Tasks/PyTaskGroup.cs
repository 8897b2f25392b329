using System;
using System.Collections.Generic;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>Asyncio tasks of one process that stand at the same place, as one record.</summary>
public sealed partial record PyTaskGroup : IOfPod, IEqualOnes
{
    internal PyTaskGroup()
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

    /// <summary>How many tasks there are.</summary>
    public long Count { get; internal init; }

    /// <summary>The tasks' identities within the process.</summary>
    public IReadOnlyList<string> Ids { get; internal init; } = [];

    /// <summary>The distinct names of the tasks.</summary>
    public IReadOnlyList<string> Names { get; internal init; } = [];

    /// <summary><c>running</c>, <c>waiting</c>, <c>ready</c> or <c>done</c>.</summary>
    public string State { get; internal init; } = "";

    /// <summary>What their innermost coroutine awaits: a future, an event, a lock, sleep.</summary>
    public string? Awaits { get; internal init; }

    /// <summary>The coroutines, innermost first.</summary>
    public IReadOnlyList<StackFrame> Frames { get; internal init; } = [];

    /// <summary>The interpreter's version.</summary>
    public string? PythonVersion { get; internal init; }

    /// <summary>For how long a loop's thread was held. Travels beside the object and is never serialised.</summary>
    internal TaskPlace? Place { get; init; }

    /// <summary>The number of tasks and their coroutines, one a line.</summary>
    /// <returns>Lines that are safe to show.</returns>
    public override string ToString() => TaskText.Whole(this);
}
