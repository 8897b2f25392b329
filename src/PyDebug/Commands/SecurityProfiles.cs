using System;
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

    /// <summary>The least profile that answers a question.</summary>
    public static string For(string question) => question.ToUpperInvariant() switch
    {
        "TIME" => Trace,
        "BPFTRACE" => SysAdmin,
        _ => General,
    };
}
