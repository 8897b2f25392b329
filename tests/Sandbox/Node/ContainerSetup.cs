using System.Collections.Generic;
using System.Text.Json.Nodes;

namespace PyDebug.Sandbox.Node;

/// <summary>Everything a container is started with, resolved from pod, container and image.</summary>
internal sealed class ContainerSetup
{
    public required IReadOnlyList<string> Arguments { get; init; }

    public required IReadOnlyList<string> Environment { get; init; }

    public required string WorkingDirectory { get; init; }

    public required SecuritySettings Security { get; init; }

    public required string RootPath { get; init; }

    public required string CgroupPath { get; init; }

    /// <summary>Mounts beside the runtime's own.</summary>
    public IReadOnlyList<JsonObject> Mounts { get; init; } = [];

    /// <summary>The process whose network, IPC and UTS namespaces are joined; null makes new ones.</summary>
    public int? SandboxProcess { get; init; }

    /// <summary>The process whose PID namespace is joined; null makes a new one.</summary>
    public int? PidNamespaceOf { get; init; }

    public string? Hostname { get; init; }

    /// <summary>Bytes, or null for no limit.</summary>
    public long? MemoryLimit { get; init; }

    /// <summary>CPU limit in thousandths of a core, or null for no limit.</summary>
    public long? CpuLimit { get; init; }

    public int OomScoreAdjust { get; init; }
}
