using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>One part of a process's resident memory. All parts of a report together are its RSS.</summary>
public sealed partial record PyHeapPart : IOfPod
{
    internal PyHeapPart()
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

    /// <summary>The part as people call it, such as <c>Python objects</c>.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>
    /// The part's constant name: <c>Object</c>, <c>Table</c>, <c>FreeInPython</c>, <c>UnknownInPython</c>,
    /// <c>CLibraryUsed</c>, <c>CLibraryFree</c>, <c>Stack</c>, <c>ProgramData</c>, <c>File</c>, <c>Shared</c>,
    /// <c>Device</c>, <c>OtherAnonymous</c>; where the objects could not be counted also <c>Python</c> (in use) and
    /// <c>CLibrary</c> (in use or free).
    /// </summary>
    public string Kind { get; internal init; } = "";

    /// <summary>Its size at the first look, in bytes.</summary>
    public long Bytes { get; internal init; }

    /// <summary>Its size at the last look, in bytes.</summary>
    public long EndBytes { get; internal init; }

    /// <summary>By how much it grows, in bytes a second; null without at least three looks.</summary>
    public double? BytesPerSecond { get; internal init; }

    /// <summary>Half of the interval that holds that rate in 95 of 100 cases, in bytes a second.</summary>
    public double? BytesPerSecondMargin { get; internal init; }

    /// <summary>
    /// Whether the size is an upper bound: what the C library keeps ready for reuse looks like in use.
    /// </summary>
    public bool IsBound { get; internal init; }

    /// <summary>The part as <c>Python objects 52.6 MiB</c>.</summary>
    /// <returns>One line.</returns>
    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{Name} {Amounts.Bytes(EndBytes)}");
}
