using System;
using System.Collections.Generic;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>A container of a pod's spec, with its status.</summary>
internal sealed class ContainerInfo
{
    public required string Name { get; init; }

    public required string Image { get; init; }

    /// <summary>Whether it is one of the pod's init containers; a native sidecar is one of them.</summary>
    public bool IsInit { get; init; }

    /// <summary>Whether it is a native sidecar: an init container that stays beside the others.</summary>
    public bool IsSidecar { get; init; }

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

    /// <summary>The digest of the image it runs, <c>sha256:...</c>; null where the kubelet does not tell it.</summary>
    public string? Digest { get; init; }

    /// <summary>Its seccomp profile: its own, else the pod's; null where neither names one.</summary>
    public JsonObject? Seccomp { get; init; }

    /// <summary>Its AppArmor profile, named the same way.</summary>
    public JsonObject? AppArmor { get; init; }

    /// <summary>When it started, UTC; null where it does not run.</summary>
    public DateTime? Started { get; init; }

    /// <summary><c>command</c> of the spec; empty when the image's entry point is used.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary><c>args</c> of the spec.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The search path (PATH) that the spec gives it; null where the image's own is used.</summary>
    public string? SearchPath { get; init; }

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
