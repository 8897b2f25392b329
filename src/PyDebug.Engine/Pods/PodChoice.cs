using System;

namespace PyDebug.Engine;

/// <summary>A pod of a list, as far as it takes to choose among them.</summary>
internal sealed class PodChoice
{
    public required PodReference Reference { get; init; }

    public string? NodeName { get; init; }

    /// <summary>When it was made, UTC.</summary>
    public DateTime? Created { get; init; }

    /// <summary>Why it cannot be debugged now, as a phase or the end of a sentence; null where it can.</summary>
    public string? Hindrance { get; init; }

    /// <param name="pod">The pod.</param>
    /// <param name="container">The container that is wanted; null for the default.</param>
    public static PodChoice Of(PodInfo pod, string? container) => new()
    {
        Reference = pod.Reference,
        NodeName = pod.NodeName,
        Created = pod.Created,
        Hindrance = HindranceOf(pod, container),
    };

    private static string? HindranceOf(PodInfo pod, string? container)
    {
        if (pod.Deleting)
        {
            return "being deleted";
        }

        if (pod.InitContainers is { Count: > 0 } && pod.Find(container) is { IsInit: true } init
            && pod.Phase is "Running" or "Pending")
        {
            return init.Running ? null : $"where '{init.Name}' does not run";
        }

        return pod.Phase == "Running" ? null : pod.Phase;
    }
}
