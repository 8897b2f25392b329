namespace PyDebug.Commands;

/// <summary>A pod that a cmdlet was asked for.</summary>
internal sealed class StartRequest(string? ns, string podName, string? containerName, string? uid = null)
{
    /// <summary>The namespace named, or null for the connection's own.</summary>
    public string? Namespace { get; } = ns;

    public string PodName { get; } = podName;

    /// <summary>The container named, or null for the pod's default.</summary>
    public string? ContainerName { get; } = containerName;

    /// <summary>The UID by which the pod is known; empty where any pod of the name will do.</summary>
    public string Uid { get; } = uid ?? "";

    /// <summary>The session that was given for the pod; null where none was.</summary>
    public PodDebugSession? Session { get; init; }

    /// <summary>What is known of the target so far.</summary>
    public PodTarget? Target { get; set; } = ns is null ? null : new PodTarget(ns, podName, containerName);
}
