using System.Globalization;
using System.Text.Json.Nodes;

namespace PyDebug.Sandbox.Api;

/// <summary>The v1.Status on the error channel of an exec.</summary>
internal static class ExecStatus
{
    public static JsonObject Ended(int exitCode)
    {
        if (exitCode == 0)
        {
            return new JsonObject { ["metadata"] = new JsonObject(), ["status"] = "Success" };
        }

        string code = exitCode.ToString(CultureInfo.InvariantCulture);
        return new JsonObject
        {
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = $"command terminated with non-zero exit code: command terminated with exit code {code}",
            ["reason"] = "NonZeroExitCode",
            ["details"] = new JsonObject
            {
                ["causes"] = new JsonArray(new JsonObject { ["reason"] = "ExitCode", ["message"] = code }),
            },
        };
    }

    public static JsonObject Internal(string message) => ApiException.Internal(message).ToStatus();
}
