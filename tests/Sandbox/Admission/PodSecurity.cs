using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using PyDebug.Sandbox.Api;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Admission;

/// <summary>Pod Security admission: the namespace's labels say which standard its pods must meet.</summary>
internal static class PodSecurity
{
    private const string Label = "pod-security.kubernetes.io/";

    /// <summary>403 where the enforced standard is violated; a Warning header where only the warned one is.</summary>
    public static void Enforce(JsonObject owner, JsonObject pod, HttpResponse response)
    {
        (string level, string version) = Policy(owner, "enforce");
        if (Check(level, pod) is { Length: > 0 } violations)
        {
            throw ApiException.Forbidden(
                "pods", pod.NameOf(), $"violates PodSecurity \"{level}:{version}\": {violations}");
        }

        (level, version) = Policy(owner, "warn");
        if (Check(level, pod) is { Length: > 0 } warned)
        {
            string text = $"would violate PodSecurity \"{level}:{version}\": {warned}";
            response.Headers.Append("Warning", "299 - \"" + text.Replace("\\", "\\\\", System.StringComparison.Ordinal)
                .Replace("\"", "\\\"", System.StringComparison.Ordinal) + "\"");
        }
    }

    private static string Check(string level, JsonObject pod) => string.Join(", ", PodSecurityChecks.Run(level, pod));

    private static (string Level, string Version) Policy(JsonObject owner, string mode) => (
        owner.Text("metadata", "labels", Label + mode) ?? "privileged",
        owner.Text("metadata", "labels", Label + mode + "-version") ?? "latest");
}
