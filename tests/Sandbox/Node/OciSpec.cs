using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>The OCI runtime configuration of a container, laid out as containerd does it.</summary>
internal static class OciSpec
{
    private static readonly string[] s_masked =
    [
        "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
    ];

    private static readonly string[] s_readOnly =
        ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    public static JsonObject Build(ContainerSetup setup)
    {
        SecuritySettings security = setup.Security;
        JsonObject spec = new()
        {
            ["ociVersion"] = "1.0.2",
            ["root"] = new JsonObject { ["path"] = setup.RootPath, ["readonly"] = security.ReadOnlyRoot },
            ["process"] = BuildProcess(setup),
            ["mounts"] = new JsonArray([.. DefaultMounts(security.Privileged), .. setup.Mounts.Select(Clone)]),
            ["linux"] = BuildLinux(setup),
        };
        if (setup.Hostname is not null && setup.SandboxProcess is null)
        {
            spec["hostname"] = setup.Hostname;
        }

        return spec;
    }

    public static JsonObject Bind(string source, string destination, bool readOnly = false) => new()
    {
        ["destination"] = destination,
        ["type"] = "bind",
        ["source"] = source,
        ["options"] = JsonAccess.ToArray(["rbind", "rprivate", readOnly ? "ro" : "rw"]),
    };

    private static JsonObject BuildProcess(ContainerSetup setup)
    {
        SecuritySettings security = setup.Security;
        string[] names = security.Capabilities.Select(name => "CAP_" + name).ToArray();
        return new JsonObject
        {
            ["terminal"] = false,
            ["user"] = new JsonObject
            {
                ["uid"] = security.Uid,
                ["gid"] = security.Gid,
                ["additionalGids"] = new JsonArray([.. security.Groups.Select(gid => (JsonNode)gid)]),
            },
            ["args"] = JsonAccess.ToArray(setup.Arguments),
            ["env"] = JsonAccess.ToArray(setup.Environment),
            ["cwd"] = setup.WorkingDirectory,
            ["capabilities"] = new JsonObject
            {
                ["bounding"] = JsonAccess.ToArray(names),
                ["effective"] = JsonAccess.ToArray(names),
                ["permitted"] = JsonAccess.ToArray(names),
            },
            ["noNewPrivileges"] = security.NoNewPrivileges,
            ["oomScoreAdj"] = setup.OomScoreAdjust,
        };
    }

    private static JsonObject BuildLinux(ContainerSetup setup)
    {
        SecuritySettings security = setup.Security;
        JsonObject resources = new()
        {
            ["devices"] = new JsonArray(new JsonObject { ["allow"] = security.Privileged, ["access"] = "rwm" }),
        };
        if (setup.MemoryLimit is long limit)
        {
            resources["memory"] = new JsonObject { ["limit"] = limit };
        }

        if (setup.CpuLimit is long cpu)
        {
            resources["cpu"] = new JsonObject { ["period"] = 100000, ["quota"] = Math.Max(cpu * 100, 1000) };
        }

        JsonObject linux = new()
        {
            ["cgroupsPath"] = setup.CgroupPath,
            ["namespaces"] = new JsonArray([.. BuildNamespaces(setup)]),
            ["resources"] = resources,
        };
        if (!security.Privileged)
        {
            linux["maskedPaths"] = JsonAccess.ToArray(s_masked);
            linux["readonlyPaths"] = JsonAccess.ToArray(s_readOnly);
        }

        if (security.Seccomp)
        {
            linux["seccomp"] = SeccompProfile.RuntimeDefault(security.Capabilities.ToList());
        }

        return linux;
    }

    private static IEnumerable<JsonNode> BuildNamespaces(ContainerSetup setup)
    {
        yield return new JsonObject { ["type"] = "mount" };
        yield return Namespace("pid", "pid", setup.PidNamespaceOf);
        yield return Namespace("network", "net", setup.SandboxProcess);
        yield return Namespace("ipc", "ipc", setup.SandboxProcess);
        yield return Namespace("uts", "uts", setup.SandboxProcess);
        if (Cgroups.IsUnified && !setup.Security.Privileged)
        {
            yield return new JsonObject { ["type"] = "cgroup" };
        }
    }

    private static JsonObject Namespace(string type, string file, int? process)
    {
        JsonObject result = new() { ["type"] = type };
        if (process is int pid)
        {
            result["path"] = $"/proc/{pid}/ns/{file}";
        }

        return result;
    }

    private static IEnumerable<JsonNode> DefaultMounts(bool privileged)
    {
        string access = privileged ? "rw" : "ro";
        yield return Mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev");
        yield return Mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k");
        yield return Mount(
            "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5");
        yield return Mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev");
        yield return Mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", access);
        yield return Mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", access);
    }

    private static JsonObject Mount(string destination, string type, string source, params string[] options) => new()
    {
        ["destination"] = destination,
        ["type"] = type,
        ["source"] = source,
        ["options"] = JsonAccess.ToArray(options),
    };

    private static JsonNode Clone(JsonObject node) => node.DeepClone();
}
