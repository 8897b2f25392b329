using System.Collections.Generic;
using System.Globalization;
using System.Text.Json.Nodes;

namespace PyDebug.Sandbox.Api;

/// <summary>The v1.Status on the error channel of an exec. The two protocols pass through different hands.</summary>
internal static class ExecStatus
{
    /// <param name="exitCode">The process's.</param>
    /// <param name="command">What was run, which v4 repeats; null for v5.</param>
    public static JsonObject Ended(int exitCode, IReadOnlyList<string>? command)
    {
        if (exitCode == 0)
        {
            return new JsonObject { ["metadata"] = new JsonObject(), ["status"] = "Success" };
        }

        string code = exitCode.ToString(CultureInfo.InvariantCulture);
        string what = command is null
            ? $"command terminated with exit code {code}"
            : $"error executing command [{string.Join(' ', command)}], exit code {code}";
        return new JsonObject
        {
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = "command terminated with non-zero exit code: " + what,
            ["reason"] = "NonZeroExitCode",
            ["details"] = new JsonObject
            {
                ["causes"] = new JsonArray(new JsonObject { ["reason"] = "ExitCode", ["message"] = code }),
            },
        };
    }

    /// <param name="message">What the runtime said.</param>
    /// <param name="translated">True for v5: the translator wraps the kubelet's error in one of its own.</param>
    public static JsonObject Failed(string message, bool translated)
    {
        string text = "error executing command in container: failed to exec in container: " + message;
        JsonObject status = ApiException.Internal(translated ? "Internal error occurred: " + text : text).ToStatus();
        status.Remove("kind");
        status.Remove("apiVersion");
        return status;
    }
}
