using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Commands;

/// <summary>The security profiles, and which of them a question needs.</summary>
internal static class SecurityProfiles
{
    public const string General = "General";
    public const string Baseline = "Baseline";
    public const string Restricted = "Restricted";
    public const string NetAdmin = "NetAdmin";
    public const string SysAdmin = "SysAdmin";
    public const string Trace = "Trace";

    private static readonly string[] s_all = [General, Baseline, Restricted, NetAdmin, SysAdmin, Trace];

    /// <summary>The name as it is written here, whatever its case.</summary>
    public static string Canonical(string name) => s_all.First(p => p.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>
    /// The least profile that answers all of some questions: each of these has all that the one before has.
    /// </summary>
    public static string For(IEnumerable<string> questions)
    {
        HashSet<string> wanted = [.. questions.Select(For)];
        return wanted.Contains(SysAdmin) ? SysAdmin : wanted.Contains(Trace) ? Trace : General;
    }

    /// <summary>
    /// Whether one profile serves all: memray is rehearsed under what its process is held to, and nothing privileged is
    /// held to that.
    /// </summary>
    public static bool ServesAll(IReadOnlyCollection<string> questions)
        => !(questions.Contains("Memray", StringComparer.OrdinalIgnoreCase)
            && questions.Contains("Bpftrace", StringComparer.OrdinalIgnoreCase));

    /// <summary>The least profile that answers a question.</summary>
    public static string For(string question) => question.ToUpperInvariant() switch
    {
        "TIME" => Trace,
        "BPFTRACE" => SysAdmin,
        _ => General,
    };
}
