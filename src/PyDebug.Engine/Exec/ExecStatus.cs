using System.Globalization;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>The last word of an exec on its status channel.</summary>
internal sealed class ExecStatus
{
    /// <summary>Whether the server said Success. That proves neither completeness nor exit code 0.</summary>
    public bool Success { get; private init; }

    /// <summary>Exit code of a command that ran and failed.</summary>
    public int? ExitCode { get; private init; }

    public string? Message { get; private init; }

    /// <summary>Reads the channel's bytes; null when they are no status.</summary>
    public static ExecStatus? Read(byte[] bytes)
    {
        JsonObject? status = KubeJson.ParseObject(bytes);
        switch (KubeJson.Text(status, "status"))
        {
            case "Success":
                return new() { Success = true };
            case "Failure":
                return new() { ExitCode = Code(status!), Message = KubeJson.Text(status, "message") };
            default:
                return null;
        }
    }

    private static int? Code(JsonObject status)
    {
        if (KubeJson.Text(status, "reason") != "NonZeroExitCode")
        {
            return null;
        }

        foreach (JsonObject cause in KubeJson.Objects(status, "details", "causes"))
        {
            if (KubeJson.Text(cause, "reason") == "ExitCode"
                && int.TryParse(
                    KubeJson.Text(cause, "message"), NumberStyles.None, CultureInfo.InvariantCulture, out int code)
                && code is > 0 and < 256)
            {
                return code;
            }
        }

        return null;
    }
}
