using System;
using System.ComponentModel;
using PyDebug.Commands;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>A debug container in a pod, as further cmdlets need it. Plain data that survives JSON.</summary>
public sealed partial record PodDebugSession : IOfPod
{
    internal PodDebugSession()
    {
    }

    /// <summary>The pod's namespace.</summary>
    public string Namespace { get; internal init; } = "";

    /// <summary>The pod's name.</summary>
    public string PodName { get; internal init; } = "";

    /// <summary>The application's container.</summary>
    public string ContainerName { get; internal init; } = "";

    /// <summary>The node that the pod runs on.</summary>
    public string? NodeName { get; internal init; }

    /// <summary>When this was read, in UTC by this machine's clock.</summary>
    public DateTime Timestamp { get; internal init; }

    /// <summary>The name of the debug container.</summary>
    public string DebugContainer { get; internal init; } = "";

    /// <summary>Its security profile: General, Baseline, Restricted, NetAdmin, SysAdmin or Trace.</summary>
    public string Profile { get; internal init; } = "";

    /// <summary>The user that it runs as: <c>root</c>, or a user's number; null where that is not known.</summary>
    public string? User { get; internal init; }

    /// <summary>The image it was started from.</summary>
    public string Image { get; internal init; } = "";

    /// <summary><c>Application</c> where the image is the target container's own, else <c>Named</c>.</summary>
    public string ImageSource { get; internal init; } = "";

    /// <summary><c>Running</c>, <c>Waiting</c> or <c>Terminated</c>, when it was read.</summary>
    public string State { get; internal init; } = "";

    /// <summary>The interpreter that runs the agent.</summary>
    public string Python { get; internal init; } = "";

    /// <summary>Whether a container that was there already was taken.</summary>
    public bool Reused { get; internal init; }

    /// <summary>When the entry was added to the pod, in UTC.</summary>
    public DateTime? Created { get; internal init; }

    /// <summary>When the container started, in UTC.</summary>
    public DateTime? Started { get; internal init; }

    /// <summary>The pod's UID; a pod of the same name with another one is another pod.</summary>
    public string PodUid { get; internal init; } = "";

    /// <summary>The ID of the target container that it shares its processes with.</summary>
    public string? TargetContainerId { get; internal init; }

    /// <summary>How often the target container was started again.</summary>
    public int TargetRestartCount { get; internal init; }

    /// <summary>
    /// Why the target container ended the last time, such as <c>OOMKilled</c>; null where it never did.
    /// </summary>
    public string? TargetLastEndReason { get; internal init; }

    /// <summary>When that was, in UTC.</summary>
    public DateTime? TargetLastEnded { get; internal init; }

    /// <summary>
    /// The name by which the API server knew who asked for the debug container; null where it did not say. It is what
    /// the container's mark says, which whoever may add ephemeral containers can write; the audit log is the proof.
    /// </summary>
    public string? StartedBy { get; internal init; }

    /// <summary>What <c>-Reason</c> of Start-PodDebug said; null where it was not given.</summary>
    public string? Reason { get; internal init; }

    /// <summary>Whether other containers' processes are in sight as well.</summary>
    internal bool SharesProcesses { get; init; }

    /// <summary>Whether the container was seen to be one that PyDebug starts. What JSON says proves nothing.</summary>
    internal bool IsVerified { get; init; }

    /// <summary>How the server is reached. Travels beside the object and is never serialised.</summary>
    internal ConnectionSettings? Connection { get; init; }

    /// <summary>The session as <c>namespace/pod/container by pydebug-x</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => SafeText.Line($"{Namespace}/{PodName}/{ContainerName} by {DebugContainer} ({Profile}, {State})");

    internal PodTarget Target(int? processId = null) => new(Namespace, PodName, ContainerName, processId);
}
