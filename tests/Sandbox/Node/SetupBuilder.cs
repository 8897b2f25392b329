using System;
using System.Collections.Generic;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>Turns a container of a pod's specification into what the runtime is given.</summary>
internal sealed class SetupBuilder(
    NodeContext node, PodSandbox sandbox, JsonObject pod, JsonObject container, ContainerKind kind,
    Func<string, ContainerRunner?> find)
{
    /// <exception cref="ContainerFailure">The kubelet or the runtime would refuse.</exception>
    public async Task<ContainerSetup> BuildAsync(string id, Image image)
    {
        int? pidNamespace = FindPidNamespace(id);
        SecuritySettings security = SecuritySettings.Resolve(pod, container, image);
        IReadOnlyList<string> environment = EnvironmentBuilder.Build(pod, container, image);
        IReadOnlyList<string> command = EnvironmentBuilder.Command(container, image, environment);
        if (command.Count == 0)
        {
            throw new ContainerFailure(
                "CreateContainerError", "failed to generate container spec: no command specified");
        }

        string directory = container.Text("workingDir") ?? image.WorkingDirectory;
        decimal? memory = Quantity.Limit(container, "memory");
        decimal? cpu = Quantity.Limit(container, "cpu");
        return new ContainerSetup
        {
            Arguments = command,
            Environment = environment,
            WorkingDirectory = directory.Length > 0 ? directory : "/",
            Security = security,
            RootPath = await RootFileSystem.CreateAsync(node.ContainerHome(id), image).ConfigureAwait(false),
            CgroupPath = $"{PodSandbox.CgroupOf(node, pod)}/{id}",
            Mounts = WithTerminationLog(id),
            SandboxProcess = sandbox.Pid,
            PidNamespaceOf = pidNamespace,
            MemoryLimit = (long?)memory,
            CpuLimit = (long?)(cpu * 1000),
            OomScoreAdjust = OomScore.For(pod, container),
        };
    }

    private List<JsonObject> WithTerminationLog(string id)
    {
        string file = TerminationMessage.Create(node.ContainerHome(id));
        string path = container.Text("terminationMessagePath") ?? "/dev/termination-log";
        return [.. sandbox.MountsFor(container), OciSpec.Bind(file, path)];
    }

    private int? FindPidNamespace(string id)
    {
        if (pod.Flag("spec", "shareProcessNamespace") == true)
        {
            return sandbox.Pid;
        }

        string? target = kind == ContainerKind.Ephemeral ? container.Text("targetContainerName") : null;
        if (string.IsNullOrEmpty(target))
        {
            return null;
        }

        if (find(target) is not { LastId.Length: > 0 } runner)
        {
            throw new ContainerFailure("CreateContainerConfigError", "unable to find target container " + target);
        }

        return runner.Current?.Pid ?? throw new ContainerFailure("CreateContainerError",
            $"failed to generate container \"{id}\" spec: failed to generate spec opts: invalid target container: "
            + $"container \"{runner.LastId}\" is not running - in state CONTAINER_EXITED");
    }
}
