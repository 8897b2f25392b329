using System;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>
/// What a bpftrace program printed at once. A named script adds what it printed as properties of their own, such as
/// <c>Path</c> and <c>Milliseconds</c>.
/// </summary>
public sealed partial record BpftraceEvent : ISessionCarrier, IOfPod
{
    internal BpftraceEvent()
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

    /// <summary>The debug container, so that <c>Get-PyStack</c> can go on from here.</summary>
    public string DebugContainer { get; internal init; } = "";

    /// <summary>The pod's identity.</summary>
    public string PodUid { get; internal init; } = "";

    /// <summary>The process in the container's PID namespace, where the script says it; else null.</summary>
    public int? ProcessId { get; internal init; }

    /// <summary>When it came, in UTC by this machine's clock.</summary>
    public DateTime Timestamp { get; internal init; }

    /// <summary>The thread's native id in the container's PID namespace, where the script says it; else null.</summary>
    public long? ThreadId { get; internal init; }

    /// <summary>The thread's name as the kernel has it, where the script says it; else null.</summary>
    public string? Thread { get; internal init; }

    /// <summary>
    /// <c>Print</c> (printf), <c>Warning</c> (warnf), <c>Error</c> (errorf), <c>Time</c>, <c>Value</c> (print of
    /// something that is no map), <c>Text</c> (cat, strftime and what else bpftrace prints), or <c>Unread</c> (a line
    /// that was not what bpftrace should print).
    /// </summary>
    public string Kind { get; internal init; } = "Print";

    /// <summary>
    /// What was printed, without its last line end; control characters are written as their pictures.
    /// </summary>
    public string Text { get; internal init; } = "";

    /// <summary>The session that it came through. Travels beside the object and is never serialised.</summary>
    internal PodDebugSession? Session { get; init; }

    PodDebugSession? ISessionCarrier.Session => Session;

    /// <summary>What was printed.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString() => SafeText.Line(Text);
}
