namespace PyDebug.Internal;

/// <summary>A record of what is in a pod's container.</summary>
internal interface IOfPod
{
    /// <summary>The pod's namespace.</summary>
    public string Namespace { get; }

    /// <summary>The pod's name.</summary>
    public string PodName { get; }

    /// <summary>The application's container.</summary>
    public string ContainerName { get; }
}
