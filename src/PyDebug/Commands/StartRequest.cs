namespace PyDebug.Commands;

/// <summary>A pod that <c>Start-PodDebug</c> was asked for.</summary>
internal sealed class StartRequest(string? ns, string podName, string? containerName)
{
    /// <summary>The namespace named, or null for the connection's own.</summary>
    public string? Namespace { get; } = ns;

    public string PodName { get; } = podName;

    /// <summary>The container named, or null for the pod's default.</summary>
    public string? ContainerName { get; } = containerName;

    /// <summary>What is known of the target so far.</summary>
    public PodTarget? Target { get; set; }
}
