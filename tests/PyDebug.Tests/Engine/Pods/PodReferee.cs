using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using PyDebug.Engine;
using PyDebug.Tests.Profiles;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>What the engine reads in a pod is what the models of KubernetesClient have.</summary>
public sealed class PodReferee
{
    private static readonly JsonObject s_pods = JsonNode.Parse(Fixture.Text("referee/pods.json"))!.AsObject();

    public static TheoryData<string> Cases => [.. s_pods.Select(p => p.Key)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Both_read_the_same(string name)
    {
        JsonObject pod = s_pods[name]!.DeepClone().AsObject();

        Assert.Equal(
            Library(KubernetesJson.Deserialize<V1Pod>(pod.ToJsonString())),
            Engine(PodParser.Parse(pod)));
    }

    [Fact]
    public void The_referee_sees_a_difference()
    {
        JsonObject pod = s_pods["running"]!.DeepClone().AsObject();
        List<string> library = Library(KubernetesJson.Deserialize<V1Pod>(pod.ToJsonString()));
        pod["status"]!["containerStatuses"]![0]!["restartCount"] = JsonNode.Parse("1");

        Assert.NotEqual(library, Engine(PodParser.Parse(pod)));
    }

    private static List<string> Engine(PodInfo pod) =>
    [
        Text("pod", pod.Reference.Namespace, pod.Reference.Name, pod.Reference.Uid, pod.Phase, pod.NodeName, pod.Os),
        Text("flags", pod.SharesProcesses, pod.Deleting, pod.Created, pod.DefaultContainer),
        Text("owner", pod.Owner?.Kind, pod.Owner?.Name, pod.Owner?.Uid, pod.Owner?.TemplateHash),
        .. pod.Containers.Concat(pod.InitContainers).SelectMany(c => new[]
        {
            Text("container", c.Name, c.Image, c.IsInit, c.IsSidecar, c.Running, c.WaitingReason, c.WaitingMessage),
            Text("id", c.ContainerId, c.Digest, c.User, c.Group, c.RunAsNonRoot, c.Started, c.MemoryLimit),
            Text("profiles", c.Seccomp?["type"], c.Seccomp?["localhostProfile"], c.AppArmor?["type"]),
            Text("ends", c.RestartCount, c.LastEndReason, c.LastExitCode, c.LastEnded),
            Text("runs", string.Join('|', c.Command), string.Join('|', c.Arguments), c.SearchPath),
        }),
        .. KubeJson.Objects(pod.Raw, "spec", "ephemeralContainers").Select(c =>
        {
            string name = KubeJson.Text(c, "name")!;
            JsonObject? state = DebugContainerReader.State(pod, name);
            return Text(
                "ephemeral", name, pod.HasContainer(name), state?["running"] is not null,
                state?["terminated"] is not null);
        }),
    ];

    private static List<string> Library(V1Pod pod)
    {
        V1OwnerReference? owner = pod.Metadata.OwnerReferences?.FirstOrDefault(o => o.Controller == true);
        IDictionary<string, string>? labels = pod.Metadata.Labels;
        return
        [
            Text(
                "pod", pod.Metadata.NamespaceProperty, pod.Metadata.Name, pod.Metadata.Uid,
                pod.Status.Phase ?? "Unknown", pod.Spec.NodeName,
                pod.Spec.Os?.Name ?? pod.Spec.NodeSelector?["kubernetes.io/os"]),
            Text(
                "flags", pod.Spec.ShareProcessNamespace == true || pod.Spec.HostPID == true,
                pod.Metadata.DeletionTimestamp is not null, pod.Metadata.CreationTimestamp,
                pod.Metadata.Annotations?["kubectl.kubernetes.io/default-container"]),
            Text("owner", owner?.Kind, owner?.Name, owner?.Uid, owner is null ? null : labels?["pod-template-hash"]),
            .. pod.Spec.Containers.SelectMany(c => Container(pod, c, pod.Status.ContainerStatuses, false)),
            .. (pod.Spec.InitContainers ?? []).SelectMany(
                c => Container(pod, c, pod.Status.InitContainerStatuses, true)),
            .. (pod.Spec.EphemeralContainers ?? []).Select(c =>
            {
                V1ContainerState? state = pod.Status.EphemeralContainerStatuses?
                    .FirstOrDefault(s => s.Name == c.Name)?.State;
                return Text("ephemeral", c.Name, true, state?.Running is not null, state?.Terminated is not null);
            }),
        ];
    }

    private static string[] Container(V1Pod pod, V1Container c, IList<V1ContainerStatus>? statuses, bool init)
    {
        V1ContainerStatus? status = statuses?.FirstOrDefault(s => s.Name == c.Name);
        V1ContainerState? state = status?.State;
        V1ContainerStateTerminated? last = state?.Terminated ?? status?.LastState?.Terminated;
        V1SecurityContext? own = c.SecurityContext;
        V1PodSecurityContext? all = pod.Spec.SecurityContext;
        V1SeccompProfile? seccomp = own?.SeccompProfile ?? all?.SeccompProfile;
        string? id = status?.ContainerID?.Split("://")[^1];
        ResourceQuantity? limit = null;
        c.Resources?.Limits?.TryGetValue("memory", out limit);
        return
        [
            Text(
                "container", c.Name, c.Image, init, init && c.RestartPolicy == "Always", state?.Running is not null,
                state?.Waiting?.Reason ?? state?.Terminated?.Reason,
                state?.Waiting?.Message ?? state?.Terminated?.Message),
            Text(
                "id", string.IsNullOrEmpty(id) ? null : id,
                status?.ImageID?.Split('@') is [_, string digest] ? digest : null,
                status?.User?.Linux?.Uid ?? own?.RunAsUser ?? all?.RunAsUser,
                status?.User?.Linux?.Gid ?? own?.RunAsGroup ?? all?.RunAsGroup,
                own?.RunAsNonRoot ?? all?.RunAsNonRoot ?? false, state?.Running?.StartedAt, (long?)limit?.ToDecimal()),
            Text(
                "profiles", seccomp?.Type, seccomp?.LocalhostProfile,
                (own?.AppArmorProfile ?? all?.AppArmorProfile)?.Type),
            Text("ends", status?.RestartCount ?? 0, last?.Reason, last?.ExitCode, last?.FinishedAt),
            Text(
                "runs", string.Join('|', c.Command ?? []), string.Join('|', c.Args ?? []),
                c.Env?.LastOrDefault(e => e.Name == "PATH")?.Value),
        ];
    }

    private static string Text(params object?[] parts)
        => string.Join(' ', parts.Select(p => p switch
        {
            null => "-",
            DateTime time => time.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture),
            _ => Convert.ToString(p, CultureInfo.InvariantCulture),
        }));
}
