using System.Collections.Generic;
using System.Linq;

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
    /// <param name="parameters">What follows the names; may be empty.</param>
    /// <param name="podName">Another pod of the same kind; null for the target's own.</param>
    public string Start(string parameters, string? podName = null)
    {
        string? pod = podName ?? Target?.PodName;
        // What is shown here is typed in again: a session may come from a file, which can say anything.
        if (Target is null || !new[] { pod ?? "", Target.Namespace, Target.ContainerName ?? "x" }.All(IsName))
        {
            return $"Start-PodDebug ... {parameters}".TrimEnd();
        }

        string container = Target.ContainerName is null ? "" : $" -ContainerName {Target.ContainerName}";
        return $"Start-PodDebug {pod} -Namespace {Target.Namespace}{container} {parameters}".TrimEnd();
    }

    private static bool IsName(string text) => text.Length is > 0 and <= 253
        && text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.')
        && char.IsAsciiLetterOrDigit(text[0]);
}
