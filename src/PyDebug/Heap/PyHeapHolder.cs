using System.Collections.Generic;
using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>
/// By which way samples of a type are held: a path from a root to them, equal ones as one. Every reference on it was
/// read a second time before it was shown. Values are never part of it, keys only where they were asked for.
/// </summary>
public sealed partial record PyHeapHolder : IOfPod
{
    internal PyHeapHolder()
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

    /// <summary>The type that is held, with its module.</summary>
    public string Type { get; internal init; } = "";

    /// <summary>
    /// Where the path begins: <c>Module</c>, <c>Class</c>, <c>Frame</c>, <c>Coroutine</c>, <c>CMemory</c> (the C
    /// library's or a library's data), or <c>Static</c>. Without a path what stands against one: <c>Cycle</c> (nothing
    /// holds them but each other: they wait for the collector), <c>TooDeep</c> (a chain longer than what is followed),
    /// <c>Changed</c> (the references moved while they were read), <c>Unfinished</c> (the time was over), <c>None</c>
    /// (no reference was found).
    /// </summary>
    public string Root { get; internal init; } = "";

    /// <summary>
    /// The path on one line, as <c>module shop.LEAK -> list[*]</c>; what was found where there is none.
    /// </summary>
    public string Path { get; internal init; } = "";

    /// <summary>The path's steps, the root first.</summary>
    public IReadOnlyList<string> Steps { get; internal init; } = [];

    /// <summary>How many samples of the type were followed.</summary>
    public long SampleCount { get; internal init; }

    /// <summary>How many of them are held by this way.</summary>
    public long HeldSampleCount { get; internal init; }

    /// <summary>The container on the path that grows fastest, as a path; null where there is none.</summary>
    public string? Container { get; internal init; }

    /// <summary>That container's type.</summary>
    public string? ContainerType { get; internal init; }

    /// <summary>How many items it had when it was read last.</summary>
    public long? ContainerLength { get; internal init; }

    /// <summary>How many items more it has a second, by two readings of its length.</summary>
    public double? ContainerPerSecond { get; internal init; }

    /// <summary>
    /// Whether every reference of the path was still there when it was read again; no other path is shown.
    /// </summary>
    public bool Verified { get; internal init; }

    /// <summary>The bytes of the type that these samples stand for; an estimate by their share.</summary>
    public long Bytes { get; internal init; }

    /// <summary>The holder as <c>shop.Session: module shop.LEAK -> list[*], 8 of 8</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => SafeText.Line(
            string.Create(CultureInfo.InvariantCulture, $"{Type}: {Path}, {HeldSampleCount} of {SampleCount}"), 500);
}
