using System.Collections.Generic;

namespace PyDebug.Errors;

/// <summary>What is known about a failure when its advice is written.</summary>
internal sealed class FailureFacts(
    PodTarget? target,
    IReadOnlyDictionary<string, string>? detail,
    string? reason = null)
{
    /// <summary>What the failure happened to, if it got that far.</summary>
    public PodTarget? Target { get; } = target;

    /// <summary>The server's or the kubelet's one-word reason, or null.</summary>
    public string? Reason { get; } = reason;

    /// <summary>A detail that the engine or the agent gave, or null.</summary>
    public string? Detail(string name)
        => detail is not null && detail.TryGetValue(name, out string? value) ? value : null;

    /// <summary>The command line that starts a session on the same target, with further parameters.</summary>
    public string Start(string parameters)
    {
        if (Target is null)
        {
            return $"Start-PodDebug ... {parameters}";
        }

        string container = Target.ContainerName is null ? "" : $" -ContainerName {Target.ContainerName}";
        return $"Start-PodDebug {Target.PodName} -Namespace {Target.Namespace}{container} {parameters}".TrimEnd();
    }
}
