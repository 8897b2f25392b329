using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>The security contexts of kubectl debug's profiles, and of Trace.</summary>
internal static class SecurityProfiles
{
    public const string General = nameof(General);
    public const string Baseline = nameof(Baseline);
    public const string Restricted = nameof(Restricted);
    public const string NetAdmin = nameof(NetAdmin);
    public const string SysAdmin = nameof(SysAdmin);
    public const string Trace = nameof(Trace);

    /// <summary>The profile's security context; null when it sets none.</summary>
    /// <exception cref="EngineException">There is no such profile, or it cannot be had for this target.</exception>
    public static JsonObject? Context(string profile, PodInfo pod, ContainerInfo target, bool ownImage, bool userGiven)
        => profile switch
        {
            General => AsRoot("SYS_PTRACE"),
            Trace => AsRoot("SYS_PTRACE", "BPF", "PERFMON"),
            NetAdmin => AsRoot("NET_ADMIN", "NET_RAW"),
            SysAdmin => new JsonObject { ["privileged"] = true, ["runAsUser"] = 0, ["runAsNonRoot"] = false },
            Baseline => null,
            Restricted => AsTarget(pod, target, ownImage, userGiven),
            _ => throw new EngineException(Causes.CustomInvalid, $"There is no security profile '{profile}'."),
        };

    /// <summary>A process that is not root has no use of capabilities that are merely added.</summary>
    private static JsonObject AsRoot(params string[] capabilities)
    {
        JsonArray add = [];
        foreach (string capability in capabilities)
        {
            add.Add(capability);
        }

        return new()
        {
            ["capabilities"] = new JsonObject { ["add"] = add },
            ["runAsUser"] = 0,
            ["runAsNonRoot"] = false,
        };
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
