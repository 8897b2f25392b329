namespace PyDebug.Engine;

/// <summary>The controller of a pod.</summary>
/// <param name="Kind">Its kind, such as ReplicaSet.</param>
/// <param name="Name">Its name.</param>
/// <param name="Uid">Its UID.</param>
/// <param name="TemplateHash">The pod's label <c>pod-template-hash</c>, by which a Deployment tells its
/// ReplicaSets.</param>
internal sealed record PodOwner(string Kind, string Name, string Uid, string? TemplateHash);
