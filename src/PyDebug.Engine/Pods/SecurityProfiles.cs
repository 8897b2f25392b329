using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>
/// The security contexts of kubectl debug's profiles, and of Trace. General differs from kubectl's in one thing: it
/// drops every capability that no question needs.
/// </summary>
internal static class SecurityProfiles
{
    public const string General = nameof(General);
    public const string Baseline = nameof(Baseline);
    public const string Restricted = nameof(Restricted);
    public const string NetAdmin = nameof(NetAdmin);
    public const string SysAdmin = nameof(SysAdmin);
    public const string Trace = nameof(Trace);

    private const string Ptrace = "SYS_PTRACE";

    /// <summary>
    /// What is kept of the runtime's default set, which is all that managed clusters admit besides SYS_PTRACE: to read
    /// files of other users and give them some, to signal their processes, and to act as they do in their root.
    /// </summary>
    private static readonly string[] s_kept = ["CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID", "SYS_CHROOT"];

    private static readonly string[] s_trace = [Ptrace, "BPF", "PERFMON"];

    private static readonly string[] s_net = ["NET_ADMIN", "NET_RAW"];

    /// <summary>Capabilities with which a container can take over its node.</summary>
    private static readonly HashSet<string> s_ofNode =
    [
        "ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "DAC_READ_SEARCH",
    ];

    /// <summary>The profile's security context; null when it sets none.</summary>
    /// <exception cref="EngineException">There is no such profile, or it cannot be had for this target.</exception>
    public static JsonObject? Context(string profile, PodInfo pod, ContainerInfo target, bool ownImage, bool userGiven)
        => profile switch
        {
            General => LikeTarget(target, AsRoot([Ptrace, .. s_kept], dropAll: true), strict: false),
            Trace => LikeTarget(target, AsRoot([.. s_trace, .. s_kept], dropAll: true), strict: false, local: false),
            NetAdmin => AsRoot(s_net, dropAll: false),
            SysAdmin => new JsonObject { ["privileged"] = true, ["runAsUser"] = 0L, ["runAsNonRoot"] = false },
            Baseline => null,
            Restricted => LikeTarget(target, AsTarget(pod, target, ownImage, userGiven), strict: true),
            _ => throw new EngineException(Causes.CustomInvalid, $"There is no security profile '{profile}'."),
        };

    /// <summary>
    /// The profile that a container amounts to: the one that was asked for, unless the cluster or -Custom left it
    /// without what that one stands for.
    /// </summary>
    public static string Of(string asked, JsonObject container)
    {
        if (IsPrivileged(container))
        {
            return SysAdmin;
        }

        bool root = KubeJson.Integer(container, "securityContext", "runAsUser") == 0;
        HashSet<string> added = Capabilities(container, "add");
        if (Grants(asked))
        {
            return asked;
        }

        string[] least = [Trace, General, NetAdmin];
        return Array.Find(least, Grants)
            ?? (KubeJson.Integer(container, "securityContext", "runAsUser") is > 0 ? Restricted : Baseline);

        bool Grants(string profile) => profile switch
        {
            General => root && added.Contains(Ptrace),
            Trace => root && s_trace.All(added.Contains),
            NetAdmin => root && s_net.All(added.Contains),
            SysAdmin => false,
            _ => true,
        };
    }

    /// <summary>Whether whoever made the container's image could take over the node with it.</summary>
    public static bool IsPrivileged(JsonObject container)
        => KubeJson.Flag(container, "securityContext", "privileged") == true
            || Capabilities(container, "add").Overlaps(s_ofNode);

    private static HashSet<string> Capabilities(JsonObject container, string list)
        => [.. KubeJson.Texts(KubeJson.At(container, "securityContext", "capabilities", list))
            .Select(c => c.ToUpperInvariant())
            .Select(c => c.StartsWith("CAP_", StringComparison.Ordinal) ? c[4..] : c)];

    /// <summary>A process that is not root has no use of capabilities that are merely added.</summary>
    private static JsonObject AsRoot(string[] capabilities, bool dropAll)
    {
        JsonObject rights = new() { ["add"] = new JsonArray([.. capabilities.Select(c => (JsonNode)c)]) };
        if (dropAll)
        {
            rights["drop"] = new JsonArray("ALL");
        }

        return new()
        {
            ["capabilities"] = rights,
            ["runAsUser"] = 0L,
            ["runAsNonRoot"] = false,
        };
    }

    /// <summary>
    /// Puts the container under the target's seccomp filter and AppArmor profile, so that what is tried out in it is
    /// tried under what the target runs under.
    /// </summary>
    /// <param name="target">The target.</param>
    /// <param name="context">The security context so far.</param>
    /// <param name="strict">Whether a target without a profile gives no reason to go without one.</param>
    /// <param name="local">
    /// Whether a seccomp filter of the node's own is taken over: one made for an application may refuse bpf.
    /// </param>
    private static JsonObject LikeTarget(ContainerInfo target, JsonObject context, bool strict, bool local = true)
    {
        foreach ((string field, JsonObject? profile) in new[]
        {
            ("seccompProfile", target.Seccomp), ("appArmorProfile", target.AppArmor),
        })
        {
            string? type = KubeJson.Text(profile, "type");
            bool left = (strict && type is null or "Unconfined")
                || (!local && field == "seccompProfile" && type == "Localhost");
            if (profile is not null && !left)
            {
                context[field] = profile.DeepClone();
            }
        }

        return context;
    }

    private static JsonObject AsTarget(PodInfo pod, ContainerInfo target, bool ownImage, bool userGiven)
    {
        // Under runAsNonRoot the kubelet has already proven that the image's user is a number.
        bool imageDecides = target.User is null && target.RunAsNonRoot && ownImage;
        if (target.User is null && !imageDecides && !userGiven)
        {
            throw new EngineException(
                Causes.UserUnknown,
                $"Profile Restricted needs the user of container '{target.Name}' in pod '{pod.Reference}', and neither "
                + "the pod's spec nor the kubelet tells it.");
        }

        if (target.User == 0 && !userGiven)
        {
            throw new EngineException(
                Causes.UserUnknown,
                $"Container '{target.Name}' in pod '{pod.Reference}' runs as root, and profile Restricted starts "
                + "nothing as root.");
        }

        JsonObject context = new()
        {
            ["allowPrivilegeEscalation"] = false,
            ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") },
            ["runAsNonRoot"] = true,
            ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" },
        };
        if (target.User is > 0)
        {
            context["runAsUser"] = target.User;
            if (target.Group is not null)
            {
                // The kernel compares the group as well before one process may read another.
                context["runAsGroup"] = target.Group;
            }
        }

        return context;
    }
}
