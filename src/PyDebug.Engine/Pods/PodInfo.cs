using System.Collections.Generic;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>What PyDebug needs to know of a pod.</summary>
internal sealed class PodInfo
{
    public required PodReference Reference { get; init; }

    public required string Phase { get; init; }

    public string? NodeName { get; init; }

    /// <summary><c>spec.os.name</c>, else what the node selector says; null when neither is set.</summary>
    public string? Os { get; init; }

    /// <summary>Whether the pod is being deleted.</summary>
    public bool Deleting { get; init; }

    /// <summary>The containers of the spec in its order, without init and ephemeral containers.</summary>
    public required IReadOnlyList<ContainerInfo> Containers { get; init; }

    /// <summary>Value of the annotation <c>kubectl.kubernetes.io/default-container</c>.</summary>
    public string? DefaultContainer { get; init; }

    /// <summary>The object as the server gave it.</summary>
    public required JsonObject Raw { get; init; }
}
