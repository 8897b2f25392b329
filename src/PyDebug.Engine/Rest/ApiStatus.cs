using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>The server's answer to a request that failed.</summary>
internal sealed class ApiStatus
{
    private const int MaxMessage = 4096;

    public required int Code { get; init; }

    public required string Message { get; init; }

    public string? Reason { get; init; }

    /// <summary><c>details.kind</c>: what the failure is about.</summary>
    public string? Kind { get; init; }

    /// <summary><c>details.name</c>.</summary>
    public string? Name { get; init; }

    /// <summary>The fields that are wrong, with what is wrong with them.</summary>
    public IReadOnlyList<string> Fields { get; init; } = [];

    /// <summary>Whether the body was a Status object and not, say, a proxy's page.</summary>
    public bool FromApi { get; init; }

    public TimeSpan? RetryAfter { get; init; }

    public static ApiStatus Read(int code, byte[] body, TimeSpan? retryAfter)
    {
        JsonObject? status = KubeJson.ParseObject(body);
        if (KubeJson.Text(status, "kind") != "Status")
        {
            string text = Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, 1024))).Trim();
            return new() { Code = code, Message = text, RetryAfter = retryAfter };
        }

        string message = KubeJson.Text(status, "message") ?? string.Empty;
        long? seconds = KubeJson.Integer(status, "details", "retryAfterSeconds");
        return new()
        {
            Code = code,
            Message = message[..Math.Min(message.Length, MaxMessage)],
            Reason = KubeJson.Text(status, "reason"),
            Kind = KubeJson.Text(status, "details", "kind"),
            Name = KubeJson.Text(status, "details", "name"),
            Fields = [.. KubeJson.Objects(status, "details", "causes")
                .Select(c => $"{KubeJson.Text(c, "field")}: {KubeJson.Text(c, "message")}").Take(20)],
            FromApi = true,
            RetryAfter = retryAfter ?? (seconds is > 0 and < 3600 ? TimeSpan.FromSeconds(seconds.Value) : null),
        };
    }
}
