using System;

namespace PyDebug.Sandbox.Node;

/// <summary>A container that cannot be started, with the waiting reason the kubelet would give.</summary>
internal sealed class ContainerFailure(string reason, string message) : Exception(message)
{
    /// <summary>Such as <c>CreateContainerConfigError</c> or <c>RunContainerError</c>.</summary>
    public string Reason { get; } = reason;
}
