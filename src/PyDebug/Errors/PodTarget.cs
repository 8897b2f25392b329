namespace PyDebug;

/// <summary>The pod, container and process that an error record is about. Pipes into <c>Start-PodDebug</c>.</summary>
public sealed record PodTarget
{
    internal PodTarget(string @namespace, string podName, string? containerName = null, int? processId = null)
    {
        Namespace = @namespace;
        PodName = podName;
        ContainerName = containerName;
        ProcessId = processId;
    }

    /// <summary>The pod's namespace.</summary>
    public string Namespace { get; }

    /// <summary>The pod's name.</summary>
    public string PodName { get; }

    /// <summary>The application's container, or null where none was chosen yet.</summary>
    public string? ContainerName { get; }

    /// <summary>The process in the container's PID namespace, or null where the failure is not about one.</summary>
    public int? ProcessId { get; }

    /// <summary>The target as <c>namespace/pod/container process 1</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
    {
        string container = ContainerName is null ? "" : $"/{ContainerName}";
        string process = ProcessId is null ? "" : $" process {ProcessId}";
        return Internal.SafeText.Line($"{Namespace}/{PodName}{container}{process}");
    }
}
