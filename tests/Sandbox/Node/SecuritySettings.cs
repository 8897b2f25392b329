using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>A container's identity and rights, from its security context, the pod's and the image.</summary>
internal sealed record SecuritySettings
{
    public long Uid { get; init; }

    public long Gid { get; init; }

    public IReadOnlyList<long> Groups { get; init; } = [];

    public IReadOnlyList<string> Capabilities { get; init; } = [];

    public bool Privileged { get; init; }

    public bool NoNewPrivileges { get; init; }

    public bool ReadOnlyRoot { get; init; }

    /// <summary>True where the RuntimeDefault filter applies.</summary>
    public bool Seccomp { get; init; }

    /// <summary>Resolves as the kubelet and containerd do.</summary>
    /// <exception cref="ContainerFailure">The kubelet would refuse: CreateContainerConfigError or CreateContainerError.
    /// </exception>
    public static SecuritySettings Resolve(JsonObject pod, JsonObject container, Image image)
    {
        JsonObject? own = container.Object("securityContext");
        JsonObject? shared = pod.Object("spec", "securityContext");
        long? user = own.Number("runAsUser") ?? shared.Number("runAsUser");
        long? group = own.Number("runAsGroup") ?? shared.Number("runAsGroup");
        bool privileged = own.Flag("privileged") ?? false;
        if (own.Flag("runAsNonRoot") ?? shared.Flag("runAsNonRoot") ?? false)
        {
            VerifyNonRoot(pod, container, image, user);
        }

        (long uid, long gid, string name) = ResolveUser(image, user, group);
        List<long> groups = [gid, .. PasswdFile.GroupsOf(image.RootFs, name)];
        groups.AddRange(shared?["supplementalGroups"] is JsonArray extra ? extra.Select(item => (long)item!) : []);
        if (shared.Number("fsGroup") is long fsGroup)
        {
            groups.Add(fsGroup);
        }

        IReadOnlyList<string> add = own.Texts("capabilities", "add");
        if (Node.Capabilities.Unknown(add) is string unknown)
        {
            throw new ContainerFailure("CreateContainerError",
                $"failed to generate container spec: unknown capability \"CAP_{unknown}\"");
        }

        string? seccomp = own.Text("seccompProfile", "type") ?? shared.Text("seccompProfile", "type");
        return new SecuritySettings
        {
            Uid = uid,
            Gid = gid,
            Groups = groups.Distinct().ToList(),
            Privileged = privileged,
            Capabilities = Node.Capabilities.Resolve(add, own.Texts("capabilities", "drop"), privileged),
            NoNewPrivileges = own.Flag("allowPrivilegeEscalation") == false,
            ReadOnlyRoot = own.Flag("readOnlyRootFilesystem") ?? false,
            Seccomp = seccomp == "RuntimeDefault" && !privileged,
        };
    }

    private static void VerifyNonRoot(JsonObject pod, JsonObject container, Image image, long? user)
    {
        string where = $"(pod: \"{pod.NameOf()}_{pod.NamespaceOf()}({pod.UidOf()})\", "
            + $"container: {container.Text("name")})";
        if (user is long uid)
        {
            if (uid == 0)
            {
                throw Refused("container's runAsUser breaks non-root policy " + where);
            }

            return;
        }

        string name = image.User.Split(':')[0];
        if (name.Length > 0 && !long.TryParse(name, CultureInfo.InvariantCulture, out _))
        {
            throw Refused($"container has runAsNonRoot and image has non-numeric user ({name}), "
                + "cannot verify user is non-root " + where);
        }

        if (name.Length == 0 || name == "0")
        {
            throw Refused("container has runAsNonRoot and image will run as root " + where);
        }
    }

    private static (long Uid, long Gid, string Name) ResolveUser(Image image, long? user, long? group)
    {
        string[] parts = image.User.Split(':', 2);
        string wanted = user?.ToString(CultureInfo.InvariantCulture) ?? (parts[0].Length > 0 ? parts[0] : "0");
        (string Name, long Uid, long Gid)? entry = PasswdFile.FindUser(image.RootFs, wanted);
        if (entry is null && !long.TryParse(wanted, CultureInfo.InvariantCulture, out _))
        {
            throw new ContainerFailure("CreateContainerError",
                $"failed to generate container spec: mount callback failed on: no users found for \"{wanted}\"");
        }

        long uid = entry?.Uid ?? long.Parse(wanted, CultureInfo.InvariantCulture);
        long gid = group ?? (user is null && parts.Length == 2 ? PasswdFile.FindGroup(image.RootFs, parts[1]) : null)
            ?? entry?.Gid ?? 0;
        return (uid, gid, entry?.Name ?? wanted);
    }

    private static ContainerFailure Refused(string message) => new("CreateContainerConfigError", message);
}
