using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Admission;

/// <summary>
/// The checks of the Pod Security Standards baseline and restricted, in the order and the words of the API server's
/// admission plug-in (k8s.io/pod-security-admission, policy). Left out: SELinux, sysctls, AppArmor, Windows host
/// processes, probes' hosts and what differs between versions.
/// </summary>
internal static class PodSecurityChecks
{
    private static readonly string[] s_baselineCapabilities =
    [
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    ];

    private static readonly string[] s_restrictedVolumes =
    [
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
        "secret",
    ];

    private static readonly string[] s_seccomp = ["Localhost", "RuntimeDefault"];

    /// <summary>What a pod violates of a level; nothing for <c>privileged</c>.</summary>
    public static IEnumerable<string> Run(string level, JsonObject pod)
    {
        JsonObject spec = pod.Object("spec") ?? [];
        List<JsonObject> containers =
            [.. spec.Items("initContainers"), .. spec.Items("containers"), .. spec.Items("ephemeralContainers")];
        IEnumerable<string?> found = level switch
        {
            "baseline" =>
            [
                BaselineCapabilities(containers), .. Baseline(spec, containers, restricted: false),
                BaselineSeccomp(spec, containers),
            ],
            "restricted" => [.. Baseline(spec, containers, restricted: true), .. Restricted(spec, containers)],
            _ => [],
        };
        return found.OfType<string>();
    }

    private static IEnumerable<string?> Baseline(JsonObject spec, List<JsonObject> containers, bool restricted)
    {
        yield return HostNamespaces(spec);
        if (!restricted)
        {
            yield return HostPaths(spec);
        }

        yield return HostPorts(containers);
        string[] privileged = Names(containers, item => item.Flag("securityContext", "privileged") == true);
        yield return privileged.Length == 0
            ? null
            : $"privileged ({Containers(privileged)} must not set securityContext.privileged=true)";
        string[] unmasked = Names(
            containers, item => item.Text("securityContext", "procMount") is not (null or "Default"));
        yield return unmasked.Length == 0
            ? null
            : $"procMount ({Containers(unmasked)} must not set securityContext.procMount to \"Unmasked\")";
    }

    private static IEnumerable<string?> Restricted(JsonObject spec, List<JsonObject> containers)
    {
        bool windows = spec.Text("os", "name") == "windows";
        if (!windows)
        {
            string[] escalating = Names(
                containers, item => item.Flag("securityContext", "allowPrivilegeEscalation") != false);
            yield return escalating.Length == 0
                ? null
                : $"allowPrivilegeEscalation != false ({Containers(escalating)} must set "
                    + "securityContext.allowPrivilegeEscalation=false)";
            yield return RestrictedCapabilities(containers);
        }

        yield return Volumes(spec);
        yield return NonRoot(spec, containers);
        yield return RootUser(spec, containers);
        if (!windows)
        {
            yield return RestrictedSeccomp(spec, containers);
        }
    }

    private static string? BaselineCapabilities(List<JsonObject> containers)
    {
        string[] bad = Names(containers, item => Added(item).Except(s_baselineCapabilities).Any());
        string[] names = Sorted(containers.SelectMany(Added).Except(s_baselineCapabilities));
        return bad.Length == 0
            ? null
            : $"non-default capabilities ({Containers(bad)} must not include {Quote(names)} in "
                + "securityContext.capabilities.add)";
    }

    private static string? RestrictedCapabilities(List<JsonObject> containers)
    {
        string[] keeping = Names(
            containers, item => !item.Texts("securityContext", "capabilities", "drop").Contains("ALL"));
        string[] adding = Names(containers, item => Added(item).Any(name => name != "NET_BIND_SERVICE"));
        string[] names = Sorted(containers.SelectMany(Added).Where(name => name != "NET_BIND_SERVICE"));
        List<string> details = [];
        if (keeping.Length > 0)
        {
            details.Add($"{Containers(keeping)} must set securityContext.capabilities.drop=[\"ALL\"]");
        }

        if (adding.Length > 0)
        {
            details.Add($"{Containers(adding)} must not include {Quote(names)} in securityContext.capabilities.add");
        }

        return details.Count == 0 ? null : $"unrestricted capabilities ({string.Join("; ", details)})";
    }

    private static string? HostNamespaces(JsonObject spec)
    {
        List<string> used = ((string[])["hostNetwork", "hostPID", "hostIPC"])
            .Where(field => spec.Flag(field) == true).Select(field => field + "=true").ToList();
        return used.Count == 0 ? null : $"host namespaces ({string.Join(", ", used)})";
    }

    private static string? HostPaths(JsonObject spec)
    {
        string[] names = Names(spec.Items("volumes"), volume => volume.Object("hostPath") is not null);
        return names.Length == 0
            ? null
            : $"hostPath volumes ({(names.Length == 1 ? "volume" : "volumes")} {Quote(names)})";
    }

    private static string? HostPorts(List<JsonObject> containers)
    {
        static IEnumerable<string> Ports(JsonObject container) => container.Items("ports")
            .Select(port => port.Number("hostPort") ?? 0).Where(port => port != 0).Select(port => port.ToString());
        string[] bad = Names(containers, item => Ports(item).Any());
        string[] ports = Sorted(containers.SelectMany(Ports));
        return bad.Length == 0
            ? null
            : $"hostPort ({Containers(bad)} {(bad.Length == 1 ? "uses" : "use")} "
                + $"{(ports.Length == 1 ? "hostPort" : "hostPorts")} {string.Join(", ", ports)})";
    }

    private static string? Volumes(JsonObject spec)
    {
        static string Type(JsonObject volume) =>
            volume.Select(field => field.Key).FirstOrDefault(field => field != "name") ?? "unknown";
        List<JsonObject> bad = spec.Items("volumes")
            .Where(volume => !s_restrictedVolumes.Contains(Type(volume))).ToList();
        string[] names = Names(bad, _ => true);
        string[] types = Sorted(bad.Select(Type));
        return bad.Count == 0
            ? null
            : $"restricted volume types ({(names.Length == 1 ? "volume" : "volumes")} {Quote(names)} "
                + $"{(names.Length == 1 ? "uses" : "use")} restricted volume "
                + $"{(types.Length == 1 ? "type" : "types")} {Quote(types)})";
    }

    private static string? NonRoot(JsonObject spec, List<JsonObject> containers)
    {
        bool? shared = spec.Flag("securityContext", "runAsNonRoot");
        string[] refusing = Names(containers, item => item.Flag("securityContext", "runAsNonRoot") == false);
        string? setters = Setters(shared == false, refusing);
        if (setters is not null)
        {
            return $"runAsNonRoot != true ({setters} must not set securityContext.runAsNonRoot=false)";
        }

        string[] silent = Names(
            containers, item => shared != true && item.Flag("securityContext", "runAsNonRoot") is null);
        return silent.Length == 0
            ? null
            : $"runAsNonRoot != true (pod or {Containers(silent)} must set securityContext.runAsNonRoot=true)";
    }

    private static string? RootUser(JsonObject spec, List<JsonObject> containers)
    {
        string[] bad = Names(containers, item => item.Number("securityContext", "runAsUser") == 0);
        string? setters = Setters(spec.Number("securityContext", "runAsUser") == 0, bad);
        return setters is null ? null : $"runAsUser=0 ({setters} must not set runAsUser=0)";
    }

    private static string? BaselineSeccomp(JsonObject spec, List<JsonObject> containers)
    {
        string? shared = Seccomp(spec);
        string[] bad = Names(containers, item => Seccomp(item) is string type && !s_seccomp.Contains(type));
        bool badPod = shared is not null && !s_seccomp.Contains(shared);
        string[] values = Sorted(
            containers.Select(Seccomp).Append(shared).OfType<string>().Where(type => !s_seccomp.Contains(type)));
        string? setters = Setters(badPod, bad);
        return setters is null
            ? null
            : $"seccompProfile ({setters} must not set securityContext.seccompProfile.type to {Quote(values)})";
    }

    private static string? RestrictedSeccomp(JsonObject spec, List<JsonObject> containers)
    {
        if (BaselineSeccomp(spec, containers) is string bad)
        {
            return bad;
        }

        string[] silent = Names(containers, item => Seccomp(spec) is null && Seccomp(item) is null);
        return silent.Length == 0
            ? null
            : $"seccompProfile (pod or {Containers(silent)} must set securityContext.seccompProfile.type to "
                + "\"RuntimeDefault\" or \"Localhost\")";
    }

    private static string? Seccomp(JsonObject value) => value.Text("securityContext", "seccompProfile", "type");

    private static IReadOnlyList<string> Added(JsonObject container) =>
        container.Texts("securityContext", "capabilities", "add");

    private static string? Setters(bool pod, string[] containers) => (pod, containers.Length) switch
    {
        (false, 0) => null,
        (true, 0) => "pod",
        (false, _) => Containers(containers),
        _ => "pod and " + Containers(containers),
    };

    private static string[] Names(IEnumerable<JsonObject> items, Func<JsonObject, bool> bad) =>
        items.Where(bad).Select(item => item.Text("name") ?? "").ToArray();

    private static string[] Sorted(IEnumerable<string> items) =>
        items.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();

    private static string Containers(string[] names) =>
        (names.Length == 1 ? "container " : "containers ") + Quote(names);

    private static string Quote(string[] items) => "\"" + string.Join("\", \"", items) + "\"";
}
