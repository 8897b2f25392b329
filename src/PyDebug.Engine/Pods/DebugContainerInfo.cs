using System;

namespace PyDebug.Engine;

/// <summary>A debug container of ours in a pod.</summary>
internal sealed class DebugContainerInfo
{
    public required PodReference Pod { get; init; }

    public required string Name { get; init; }

    public required string TargetContainer { get; init; }

    public required string Profile { get; init; }

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
