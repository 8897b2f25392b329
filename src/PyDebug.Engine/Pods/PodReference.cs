namespace PyDebug.Engine;

/// <summary>A pod, bound to its UID: another pod under the same name is not this one.</summary>
internal sealed class PodReference
{
    public required string Namespace { get; init; }

    public required string Name { get; init; }

    public required string Uid { get; init; }

    public override string ToString() => $"{Namespace}/{Name}";
}
