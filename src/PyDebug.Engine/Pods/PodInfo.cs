using System;
using System.Collections.Generic;
using System.Linq;
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

    /// <summary>Whether each container sees the processes of the others, or of the node.</summary>
    public bool SharesProcesses { get; init; }

    /// <summary>Whether the pod is being deleted.</summary>
    public bool Deleting { get; init; }

    /// <summary>The containers of the spec in its order, without init and ephemeral containers.</summary>
    public required IReadOnlyList<ContainerInfo> Containers { get; init; }

    /// <summary>The init containers of the spec in its order, native sidecars among them.</summary>
    public IReadOnlyList<ContainerInfo> InitContainers { get; init; } = [];

    /// <summary>When it was made, UTC.</summary>
    public DateTime? Created { get; init; }

    /// <summary>What controls it; null where nothing does.</summary>
    public PodOwner? Owner { get; init; }

    /// <summary>Value of the annotation <c>kubectl.kubernetes.io/default-container</c>.</summary>
    public string? DefaultContainer { get; init; }

    /// <summary>The object as the server gave it.</summary>
    public required JsonObject Raw { get; init; }

    /// <summary>
    /// The containers that can be debugged, with what they are: <c>web, poller (sidecar), wait-db (init)</c>.
    /// </summary>
    public string ContainerNames => string.Join(
        ", ",
        Containers.Concat(InitContainers).Select(
            c => c.IsSidecar ? $"{c.Name} (sidecar)"
                : c.IsInit ? $"{c.Name} (init{(c.Running ? ", running" : "")})"
                : c.Name));

    /// <summary>The container or init container of that name; null where there is none.</summary>
    public ContainerInfo? Find(string? name)
        => Containers.Concat(InitContainers).FirstOrDefault(c => c.Name == name);

    /// <summary>Whether it has a container of that name, of whatever kind.</summary>
    public bool HasContainer(string name)
        => new[] { "containers", "initContainers", "ephemeralContainers" }
            .Any(list => KubeJson.Objects(Raw, "spec", list).Any(c => KubeJson.Text(c, "name") == name));
}
