using System;

namespace PyDebug.Engine;

/// <summary>A debug container of ours in a pod.</summary>
internal sealed record DebugContainerInfo
{
    public required PodReference Pod { get; init; }

    public required string Name { get; init; }

    public required string TargetContainer { get; init; }

    /// <summary>What it may do, by the name of the profile that comes to that.</summary>
    public required string Profile { get; init; }

    /// <summary>The profile it was asked for with.</summary>
    public required string AskedProfile { get; init; }

    /// <summary>
    /// Whether it is what PyDebug starts, and not something else under its mark, which anybody can write.
    /// </summary>
    public bool IsOurs { get; init; }

    /// <summary>How long it goes on without use.</summary>
    public TimeSpan AfterLastUse { get; init; }

    /// <summary>How long it goes on in any case.</summary>
    public TimeSpan Life { get; init; }

    /// <summary>The name by which the server knew who asked for it, as its mark says; null where it does not.</summary>
    public string? StartedBy { get; init; }

    /// <summary>What it is wanted for, as its mark says; null where it does not.</summary>
    public string? Reason { get; init; }

    /// <summary>Whether other containers' processes are in sight as well.</summary>
    public bool SharesProcesses { get; init; }

    public required string Image { get; init; }

    /// <summary>Running, Waiting or Terminated.</summary>
    public required string State { get; init; }

    /// <summary>The interpreter its command starts, and its agents use.</summary>
    public required string Python { get; init; }

    public string? NodeName { get; init; }

    /// <summary>UID its processes run as; null when the image decides and the kubelet does not report it.</summary>
    public long? User { get; init; }

    /// <summary>When it was asked for, UTC.</summary>
    public DateTime? Created { get; init; }

    /// <summary>When it started, UTC.</summary>
    public DateTime? Started { get; init; }

    /// <summary>Whether it was there before the request.</summary>
    public bool Reused { get; init; }

    /// <summary>Eight hexadecimal digits over environment and custom settings.</summary>
    public string? SpecHash { get; init; }

    /// <summary>Id of the target container when the debug container was last looked at.</summary>
    public string? TargetContainerId { get; init; }
}
