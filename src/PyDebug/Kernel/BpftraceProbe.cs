using System;
using System.Collections.Generic;

namespace PyDebug.Tools.Bpftrace;

/// <summary>One attach point of a program.</summary>
/// <param name="Text">The attach point as it is written.</param>
/// <param name="Line">Its line in the user's program, from 1.</param>
internal sealed record BpftraceProbe(string Text, int Line)
{
    private static readonly Dictionary<string, string> s_short = new(StringComparer.Ordinal)
    {
        ["f"] = "fentry",
        ["kfunc"] = "fentry",
        ["fr"] = "fexit",
        ["kretfunc"] = "fexit",
        ["h"] = "hardware",
        ["i"] = "interval",
        ["it"] = "iter",
        ["k"] = "kprobe",
        ["kr"] = "kretprobe",
        ["p"] = "profile",
        ["rt"] = "rawtracepoint",
        ["s"] = "software",
        ["t"] = "tracepoint",
        ["u"] = "uprobe",
        ["ur"] = "uretprobe",
        ["U"] = "usdt",
        ["w"] = "watchpoint",
        ["aw"] = "asyncwatchpoint",
        ["BEGIN"] = "begin",
        ["END"] = "end",
    };

    /// <summary>The parts between the colons.</summary>
    private string[] Parts => Text.Split(':');

    /// <summary>The kind by its long name, such as <c>tracepoint</c>.</summary>
    public string Kind => KindOf(Parts[0]);

    /// <summary>Whether it fires in no thread at all, or only in bpftrace's own.</summary>
    public bool IsProgramWide => Kind is "begin" or "end" or "interval" or "self" or "bench" or "test";

    /// <summary>Whether the second part is a path, which may hold slashes.</summary>
    public static bool HasPath(string kind) => KindOf(kind) is "uprobe" or "uretprobe" or "usdt";

    /// <summary>Why the current thread says nothing about whose event it is; null where it does.</summary>
    public string? WhyNotScoped()
    {
        string[] parts = Parts;
        return Kind switch
        {
            "iter" => "it visits things of the whole node",
            "tracepoint" when parts.Length > 2 => BpftraceContexts.WhyForeign(parts[1], parts[2]),
            "rawtracepoint" => BpftraceContexts.WhyForeign(parts.Length > 2 ? parts[1] : null, parts[^1]),
            _ => null,
        };
    }

    private static string KindOf(string name) => s_short.GetValueOrDefault(name, name);
}
