using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

namespace PyDebug.Sandbox.Node;

/// <summary>Linux capabilities by name, and what containerd gives a container.</summary>
internal static class Capabilities
{
    /// <summary>All names, in the order of their numbers.</summary>
    private static readonly string[] s_names =
    [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
        "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
        "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
        "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
        "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
        "CHECKPOINT_RESTORE",
    ];

    private static readonly string[] s_default =
    [
        "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
        "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
    ];

    private static readonly Lazy<HashSet<string>> s_own = new(ReadOwn);

    /// <summary>containerd's default set with a security context's changes, as far as this machine has them.</summary>
    public static IReadOnlyList<string> Resolve(IReadOnlyList<string> add, IReadOnlyList<string> drop, bool privileged)
    {
        HashSet<string> result = new(privileged ? s_names : s_default, StringComparer.Ordinal);
        if (!privileged)
        {
            if (drop.Any(IsAll))
            {
                result.Clear();
            }

            if (add.Any(IsAll))
            {
                result.UnionWith(s_names);
            }

            result.UnionWith(add.Where(name => !IsAll(name)).Select(Plain));
            result.ExceptWith(drop.Where(name => !IsAll(name)).Select(Plain));
        }

        return s_names.Where(name => result.Contains(name) && s_own.Value.Contains(name)).ToList();
    }

    /// <summary>A name no kernel knows, as runc would complain about it.</summary>
    public static string? Unknown(IEnumerable<string> names) =>
        names.Select(Plain).FirstOrDefault(name => !IsAll(name) && !s_names.Contains(name, StringComparer.Ordinal));

    private static bool IsAll(string name) => name.Equals("ALL", StringComparison.OrdinalIgnoreCase);

    private static string Plain(string name)
    {
        string upper = name.ToUpperInvariant();
        return upper.StartsWith("CAP_", StringComparison.Ordinal) ? upper[4..] : upper;
    }

    private static HashSet<string> ReadOwn()
    {
        string line = File.ReadLines("/proc/self/status")
            .First(text => text.StartsWith("CapEff:", StringComparison.Ordinal));
        ulong mask = ulong.Parse(line[7..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return s_names.Where((_, number) => (mask >> number & 1) == 1).ToHashSet(StringComparer.Ordinal);
    }
}
