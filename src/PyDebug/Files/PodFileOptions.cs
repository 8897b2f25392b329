namespace PyDebug.Commands;

/// <summary>What is copied between a pod and this machine.</summary>
/// <param name="Path">The path in the container.</param>
/// <param name="Local">The full path here.</param>
internal sealed record PodFileOptions(string Path, string Local)
{
    /// <summary>Whether the path is one of the application's container.</summary>
    public bool FromTarget { get; init; }

    /// <summary>Whether a folder is copied, too.</summary>
    public bool Recurse { get; init; }

    /// <summary>Names of files and folders that are left out; stars and question marks stand for others.</summary>
    public string[] Exclude { get; init; } = [];

    /// <summary>Whether a file here stays as it is.</summary>
    public bool NoClobber { get; init; }

    /// <summary>Whether a file in the container is replaced.</summary>
    public bool Overwrite { get; init; }
}
