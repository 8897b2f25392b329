using System;
using System.Collections.Generic;

namespace PyDebug.Engine;

/// <summary>A debug container that is wanted.</summary>
internal sealed record DebugContainerRequest
{
    private static readonly Dictionary<string, string> s_noEnvironment = [];

    public required PodReference Pod { get; init; }

    /// <summary>The pod as it was read a moment ago; null to have it read.</summary>
    public PodInfo? Known { get; init; }

    public required string TargetContainer { get; init; }

    /// <summary>General, Baseline, Restricted, NetAdmin, SysAdmin or Trace.</summary>
    public required string Profile { get; init; }

    /// <summary>Whether the user named the profile. A named one is never replaced by another.</summary>
    public bool ProfileNamed { get; init; }

    /// <summary>Image; null takes the target container's own.</summary>
    public string? Image { get; init; }

    /// <summary>Always, IfNotPresent or Never; null takes IfNotPresent.</summary>
    public string? ImagePullPolicy { get; init; }

    /// <summary>Partial container as JSON, merged over the profile's.</summary>
    public string? CustomJson { get; init; }

    /// <summary>What it is wanted for, which goes into its mark; null for nothing.</summary>
    public string? Reason { get; init; }

    /// <summary>How long it may go on in any case; null for the usual time.</summary>
    public TimeSpan? Life { get; init; }

    public IReadOnlyDictionary<string, string> Environment { get; init; } = s_noEnvironment;

    /// <summary>Adds a new container even where one of ours could be used.</summary>
    public bool Force { get; init; }

    /// <summary>Asks the server whether it would accept the container and changes nothing.</summary>
    public bool DryRunOnly { get; init; }

    /// <summary>Starts it, and asks in it, however little memory is left to the pod.</summary>
    public bool AllowLowMemory { get; init; }

    /// <summary>Longest time until the container runs and was checked.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Time for which the caller needs the container; one with less left is not reused.</summary>
    public TimeSpan Needs { get; init; } = TimeSpan.FromMinutes(5);

    public Action<string>? Progress { get; init; }

    public Action<string>? Warn { get; init; }

    /// <summary>Takes what a user who asked for more words may want to know.</summary>
    public Action<string>? Tell { get; init; }
}
