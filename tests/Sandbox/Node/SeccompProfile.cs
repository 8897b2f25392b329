using System.Collections.Generic;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>
/// RuntimeDefault: refuses what containerd's default profile refuses, by list of what is forbidden instead of what is
/// allowed. ptrace and process_vm_readv are allowed, as they are there on kernels since 4.8.
/// </summary>
internal static class SeccompProfile
{
    private static readonly (string Capability, string[] Calls)[] s_privileged =
    [
        ("BPF", ["bpf"]),
        ("PERFMON", ["perf_event_open"]),
        ("SYS_ADMIN",
        [
            "fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie", "mount", "mount_setattr", "move_mount",
            "open_tree", "quotactl", "quotactl_fd", "setdomainname", "sethostname", "setns", "umount", "umount2",
            "unshare", "fanotify_init", "syslog",
        ]),
        ("SYS_BOOT", ["reboot", "kexec_load", "kexec_file_load"]),
        ("SYS_CHROOT", ["chroot"]),
        ("SYS_MODULE", ["delete_module", "init_module", "finit_module"]),
        ("SYS_PACCT", ["acct"]),
        ("SYS_RAWIO", ["iopl", "ioperm"]),
        ("SYS_TIME", ["settimeofday", "clock_settime", "clock_settime64"]),
        ("SYS_NICE", ["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"]),
        ("SYS_TTY_CONFIG", ["vhangup"]),
        ("DAC_READ_SEARCH", ["open_by_handle_at"]),
    ];

    private static readonly string[] s_always =
    [
        "add_key", "request_key", "keyctl", "userfaultfd", "swapon", "swapoff", "pivot_root", "nfsservctl", "uselib",
        "ustat", "sysfs", "io_uring_setup", "io_uring_enter", "io_uring_register", "move_pages",
    ];

    /// <summary>The OCI <c>linux.seccomp</c> object for a container with these capabilities.</summary>
    public static JsonObject RuntimeDefault(IReadOnlyCollection<string> capabilities)
    {
        HashSet<string> held = [.. capabilities];
        List<string> refused = [.. s_always];
        foreach ((string capability, string[] calls) in s_privileged)
        {
            bool bySysAdmin = capability is "BPF" or "PERFMON" && held.Contains("SYS_ADMIN");
            if (!held.Contains(capability) && !bySysAdmin)
            {
                refused.AddRange(calls);
            }
        }

        return new JsonObject
        {
            ["defaultAction"] = "SCMP_ACT_ALLOW",
            ["syscalls"] = new JsonArray(new JsonObject
            {
                ["names"] = JsonAccess.ToArray(refused),
                ["action"] = "SCMP_ACT_ERRNO",
                ["errnoRet"] = 1,
            }),
        };
    }
}
