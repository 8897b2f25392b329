using System;
using System.Text.Json.Nodes;

namespace PyDebug.Sandbox.Node;

/// <summary>The three states of a container, as the API shows them.</summary>
internal static class ContainerState
{
    private static readonly string s_never = EventRecorder.Timestamp(DateTime.UnixEpoch);

    public static JsonObject Waiting(string reason, string? message = null)
    {
        JsonObject state = new() { ["reason"] = reason };
        if (message is not null)
        {
            state["message"] = message;
        }

        return new JsonObject { ["waiting"] = state };
    }

    public static JsonObject Running(DateTime startedAt) =>
        new() { ["running"] = new JsonObject { ["startedAt"] = EventRecorder.Timestamp(startedAt) } };

    /// <param name="message">What the container left as its termination message; empty for none.</param>
    public static JsonObject Terminated(
        int exitCode, string reason, string message, DateTime startedAt, string containerId)
    {
        JsonObject state = new()
        {
            ["exitCode"] = exitCode,
            ["reason"] = reason,
            ["startedAt"] = EventRecorder.Timestamp(startedAt),
            ["finishedAt"] = EventRecorder.Timestamp(DateTime.UtcNow),
            ["containerID"] = containerId,
        };
        if (message.Length > 0)
        {
            state["message"] = message;
        }

        return new JsonObject { ["terminated"] = state };
    }

    /// <summary>A container that was made but whose program could not be started.</summary>
    public static JsonObject NeverStarted(string message, string containerId) => new()
    {
        ["terminated"] = new JsonObject
        {
            ["exitCode"] = 128,
            ["reason"] = "StartError",
            ["message"] = message,
            ["startedAt"] = s_never,
            ["finishedAt"] = EventRecorder.Timestamp(DateTime.UtcNow),
            ["containerID"] = containerId,
        },
    };
}
