using System;
using System.Collections.Generic;
using PyDebug.Engine;

namespace PyDebug.Commands;

/// <summary>What a cmdlet was given to find pods by: a pod, a workload or a label selector.</summary>
internal sealed record PodSource
{
    /// <summary>The namespace named; null for the connection's own.</summary>
    public string? Namespace { get; init; }

    /// <summary>The container named; null for the pod's default.</summary>
    public string? ContainerName { get; init; }

    /// <summary>The kind of workload; null for a pod or a selector.</summary>
    public WorkloadKind? Kind { get; init; }

    /// <summary>The name of the pod or workload; empty for a selector.</summary>
    public string Name { get; init; } = "";

    /// <summary>The pod as its object shows it; null where it is known by its name alone.</summary>
    public PodChoice? Pod { get; init; }

    /// <summary>The session that was given for it; null for others.</summary>
    public PodDebugSession? Session { get; init; }

    /// <summary>The label selector; null for others.</summary>
    public string? Selector { get; init; }

    /// <summary>Whether the selector is meant for all namespaces.</summary>
    public bool AllNamespaces { get; init; }

    /// <summary>
    /// What a name means: <c>web-0</c>, <c>pod/web-0</c>, or <c>deployment.apps/web</c>, as kubectl writes it.
    /// </summary>
    /// <exception cref="PyDebugException">It is of a kind that has no pods.</exception>
    public static PodSource Parse(string name, string? ns, string? containerName)
    {
        int slash = name.IndexOf('/');
        string kind = slash < 0 ? "pod" : name[..slash];
        PodSource source = new() { Namespace = ns, ContainerName = containerName, Name = name[(slash + 1)..] };
        if (kind.ToLowerInvariant() is "pod" or "pods" or "po")
        {
            return source;
        }

        return WorkloadKind.Find(kind) is WorkloadKind workload
            ? source with { Kind = workload }
            : throw KubernetesObject.Unwanted($"'{name}'");
    }

    /// <summary>What an error about it is about. It names what Start-PodDebug takes again.</summary>
    public PodTarget? Target(string defaultNamespace)
        => Selector is not null
            ? null
            : new PodTarget(Namespace ?? defaultNamespace, Kind is null ? Name : $"{Kind.Word}/{Name}", ContainerName);

    /// <summary>It in the middle of a sentence.</summary>
    public string Describe(string defaultNamespace)
    {
        string ns = Namespace ?? defaultNamespace;
        return Selector is null
            ? $"{Kind?.Kind ?? "Pod"} '{ns}/{Name}'"
            : $"Label selector '{Selector}' in {(AllNamespaces ? "all namespaces" : $"namespace '{ns}'")}";
    }
}
