using System;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>Judges the state of a container that does not run yet.</summary>
internal sealed class StartFailure
{
    /// <summary>The fact that an image is for another kind of machine than the node is.</summary>
    public const string OtherMachine = "otherMachine";

    private const string NoPlatform = "no match for platform";

    private static readonly TimeSpan s_atOnce = TimeSpan.Zero;
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_pull = TimeSpan.FromSeconds(60);

    private StartFailure(string cause, string reason, string message, TimeSpan patience)
    {
        Cause = cause;
        Reason = reason;
        Message = message;
        Patience = patience;
    }

    public string Cause { get; }

    public string Reason { get; }

    public string Message { get; }

    /// <summary>Whether the image has no program for the node's kind of machine.</summary>
    public bool IsOtherMachine
        => Message.Contains("exec format error", StringComparison.OrdinalIgnoreCase)
            || Message.Contains(NoPlatform, StringComparison.OrdinalIgnoreCase);

    /// <summary>How long the state may last before it counts as final.</summary>
    public TimeSpan Patience { get; }

    /// <summary>Whether it is one more failed pull, of which the second is final.</summary>
    public bool IsPullAttempt => Reason == "ErrImagePull";

    /// <summary>What is wrong in a container's state; null when it may still start.</summary>
    public static StartFailure? Judge(JsonObject? state)
    {
        if (KubeJson.Object(state, "terminated") is JsonObject ended)
        {
            string said = KubeJson.Text(ended, "message")?.Trim() ?? string.Empty;
            string reason = KubeJson.Text(ended, "reason") ?? "Terminated";
            long code = KubeJson.Integer(ended, "exitCode") ?? -1;
            return new(
                code is >= 126 and <= 128 && NotFound(said) ? Causes.PythonNotInImage : Causes.ContainerStartFailed,
                reason,
                said.Length > 0 ? $"it ended with code {code}: {said}" : $"it ended with code {code}",
                s_atOnce);
        }

        string? waiting = KubeJson.Text(state, "waiting", "reason");
        string message = KubeJson.Text(state, "waiting", "message")?.Trim() ?? string.Empty;
        switch (waiting)
        {
            case "InvalidImageName" or "ErrImageNeverPull" or "ImageInspectError":
                return new(Causes.ImagePullFailed, waiting, message, s_atOnce);
            case "ErrImagePull" or "ImagePullBackOff" or "RegistryUnavailable" or "SignatureValidationFailed":
                return new(Causes.ImagePullFailed, waiting, message, IsFinalPull(message) ? s_atOnce : s_pull);
            case "CreateContainerConfigError":
                bool user = message.Contains("runAsNonRoot", StringComparison.Ordinal)
                    || message.Contains("non-root", StringComparison.Ordinal);
                return new(user ? Causes.UserUnknown : Causes.ContainerStartFailed, waiting, message, s_atOnce);
            case "CreateContainerError" or "RunContainerError" or "StartError" or "CrashLoopBackOff"
                or "PreCreateHookError" or "PreStartHookError" or "PostStartHookError":
                return NotFound(message)
                    ? new(Causes.PythonNotInImage, waiting, message, s_atOnce)
                    : new(Causes.ContainerStartFailed, waiting, message, s_soon);
            default:
                return null;
        }
    }

    private static bool NotFound(string message)
        => message.Contains("executable file", StringComparison.Ordinal)
            || message.Contains("no such file or directory", StringComparison.OrdinalIgnoreCase);

    private static bool IsFinalPull(string message)
        => message.Contains("not found", StringComparison.OrdinalIgnoreCase)
            || message.Contains("manifest unknown", StringComparison.OrdinalIgnoreCase)
            || message.Contains("unauthorized", StringComparison.OrdinalIgnoreCase)
            || message.Contains("denied", StringComparison.OrdinalIgnoreCase)
            || message.Contains("does not exist", StringComparison.OrdinalIgnoreCase)
            || message.Contains(NoPlatform, StringComparison.OrdinalIgnoreCase);
}
