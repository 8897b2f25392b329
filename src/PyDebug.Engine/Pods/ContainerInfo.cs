using System;
using System.Collections.Generic;

namespace PyDebug.Engine;

/// <summary>A container of a pod's spec, with its status.</summary>
internal sealed class ContainerInfo
{
    public required string Name { get; init; }

    public required string Image { get; init; }

    public bool Running { get; init; }

    /// <summary>Why it is not running: the reason of its waiting or terminated state.</summary>
    public string? WaitingReason { get; init; }

    public string? WaitingMessage { get; init; }

    /// <summary>The id without the runtime's prefix, 64 hexadecimal digits; null before it was started.</summary>
    public string? ContainerId { get; init; }

    /// <summary>UID of its first process: from the status where the kubelet reports it, else from the spec.</summary>
    public long? User { get; init; }

    /// <summary>GID of its first process, known the same way.</summary>
    public long? Group { get; init; }

    /// <summary>Whether the spec forbids it to run as root.</summary>
    public bool RunAsNonRoot { get; init; }

    /// <summary><c>command</c> of the spec; empty when the image's entry point is used.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>How often it was started again.</summary>
    public int RestartCount { get; init; }

    /// <summary>Why it ended the last time, such as OOMKilled; null where it has not ended yet.</summary>
    public string? LastEndReason { get; init; }

    /// <summary>The exit code of that time.</summary>
    public int? LastExitCode { get; init; }

    /// <summary>When that was, UTC.</summary>
    public DateTime? LastEnded { get; init; }

    /// <summary>Memory limit in bytes.</summary>
    public long? MemoryLimit { get; init; }
}
