using System;
using System.Collections.Generic;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>A login helper as the kubeconfig describes it.</summary>
internal sealed class ExecPlugin
{
    public required string Command { get; init; }

    public required string ApiVersion { get; init; }

    public IReadOnlyList<string> Arguments { get; init; } = [];

    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];

    public string? InstallHint { get; init; }

    /// <summary>The cluster as the helper wants to see it; null when it does not.</summary>
    public JsonObject? Cluster { get; init; }

    /// <summary>Longest time for one run, in which somebody may have to log in elsewhere.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);
}
