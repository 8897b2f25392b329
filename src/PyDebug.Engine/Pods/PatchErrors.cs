using System;
using System.Collections.Generic;

namespace PyDebug.Engine;

/// <summary>Gives a refused patch of a pod's ephemeral containers its cause.</summary>
internal static class PatchErrors
{
    /// <summary>
    /// Turns the general failure of the request into one that says what it means here; others are returned as they are.
    /// </summary>
    public static EngineException Classify(EngineException e, PodReference pod, string profile, bool custom)
    {
        string said = e.ServerMessage ?? string.Empty;
        bool policy = AdmissionRefusal.IsPolicy(said);
        switch (e.StatusCode)
        {
            case 404 when !policy && e.Cause != Causes.PodNotFound && e.Cause != Causes.NamespaceNotFound:
                return With(e, Causes.EphemeralContainersUnsupported, "The server does not know ephemeral containers.");
            case 403 when !policy && said.Contains("cannot patch resource", StringComparison.Ordinal):
                return With(
                    e,
                    Causes.EphemeralContainersForbidden,
                    $"The server does not allow to add a debug container to pod '{pod}'; it takes the verb patch on "
                    + $"pods/ephemeralcontainers in namespace '{pod.Namespace}'.");
            case 403:
            case >= 400 and < 500 when policy:
                AdmissionRefusal refusal = AdmissionRefusal.Read(said);
                return With(
                    e,
                    Causes.AdmissionDenied,
                    $"{refusal.Refuses(profile, pod.Namespace)}: {refusal.Violations.TrimEnd('.')}.",
                    new()
                    {
                        ["standard"] = refusal.Standard ?? string.Empty,
                        ["violations"] = refusal.Violations,
                        ["profile"] = profile,
                        ["namespace"] = pod.Namespace,
                    });
            case 409 or 422 when said.Contains("uid", StringComparison.OrdinalIgnoreCase)
                && (said.Contains("precondition", StringComparison.OrdinalIgnoreCase)
                    || said.Contains("metadata.uid", StringComparison.Ordinal)):
                return With(e, Causes.PodReplaced, $"Pod '{pod}' was replaced by another of that name.");
            case 422 when said.Contains("static pods", StringComparison.Ordinal):
                return With(e, Causes.StaticPod, $"Pod '{pod}' is a static pod, which takes no debug containers.");
            case 400 or 422:
                return With(
                    e,
                    custom ? Causes.CustomInvalid : Causes.RequestFailed,
                    $"The server refuses the debug container for pod '{pod}': {said}");
            default:
                return e;
        }
    }

    public static EngineException With(
        EngineException e, string cause, string message, Dictionary<string, string>? detail = null)
    {
        Dictionary<string, string> all = new(e.Detail);
        foreach (KeyValuePair<string, string> entry in detail ?? [])
        {
            all[entry.Key] = entry.Value;
        }

        return new EngineException(cause, message, e)
        {
            StatusCode = e.StatusCode,
            Reason = e.Reason,
            ServerMessage = e.ServerMessage,
            Detail = all,
            Phase = e.Phase,
            RemoteState = e.RemoteState,
        };
    }
}
