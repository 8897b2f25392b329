using System.Collections.Generic;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>A script that <c>Invoke-Bpftrace -Script</c> knows by name.</summary>
public sealed partial record BpftraceScript
{
    internal BpftraceScript()
    {
    }

    /// <summary>The name to give.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>What it shows.</summary>
    public string Synopsis { get; internal init; } = "";

    /// <summary>What its records have beside what every record has: of events, or of the keys of maps.</summary>
    public IReadOnlyList<string> Columns { get; internal init; } = [];

    /// <summary>The maps that it writes when it ends.</summary>
    public IReadOnlyList<string> Maps { get; internal init; } = [];

    /// <summary>The probes that it attaches.</summary>
    public IReadOnlyList<string> Probes { get; internal init; } = [];

    /// <summary>The security profile that it needs: <c>SysAdmin</c>, or <c>Trace</c> (BPF and PERFMON).</summary>
    public string Profile { get; internal init; } = "";

    /// <summary>The script itself, in bpftrace's language.</summary>
    public string Text { get; internal init; } = "";

    /// <summary>Name and synopsis.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString() => SafeText.Line($"{Name}: {Synopsis}");
}
