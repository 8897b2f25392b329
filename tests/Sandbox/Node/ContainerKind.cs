namespace PyDebug.Sandbox.Node;

/// <summary>Which of a pod's lists a container is in.</summary>
internal enum ContainerKind
{
    Main,
    Init,
    Ephemeral,
}
