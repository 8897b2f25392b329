using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Engine;

/// <summary>What is looked at before anything is changed.</summary>
internal static class StartChecks
{
    private const long SmallLimit = 64 << 20;
    private const long SmallRoom = 32 << 20;

    /// <summary>The target container, when a debug container can be added for it.</summary>
    public static ContainerInfo Check(PodInfo pod, string targetContainer)
    {
        string name = $"Pod '{pod.Reference}'";
        if (pod.Os == "windows")
        {
            throw new EngineException(Causes.PodIsWindows, $"{name} runs on Windows, where PyDebug cannot work.");
        }

        string names = string.Join(", ", pod.Containers.Select(c => c.Name));
        ContainerInfo target = pod.Containers.FirstOrDefault(c => c.Name == targetContainer)
            ?? throw new EngineException(
                Causes.ContainerNotFound, $"{name} has no container '{targetContainer}'; it has {names}.")
            {
                Detail = new Dictionary<string, string> { ["containers"] = names },
            };
        if (pod.Phase is "Succeeded" or "Failed")
        {
            throw new EngineException(Causes.PodFinished, $"{name} has finished ({pod.Phase}).");
        }

        if (pod.Deleting)
        {
            throw new EngineException(Causes.PodNotRunning, $"{name} is being deleted.");
        }

        if (KubeJson.Text(pod.Raw, "metadata", "annotations", "kubernetes.io/config.mirror") is not null)
        {
            throw new EngineException(Causes.StaticPod, $"{name} is a static pod, which takes no debug containers.");
        }

        if (pod.Phase != "Running")
        {
            throw new EngineException(Causes.PodNotRunning, $"{name} is not running yet ({pod.Phase}){Why(target)}.");
        }

        if (!target.Running)
        {
            throw new EngineException(
                Causes.TargetNotRunning,
                $"Container '{target.Name}' of pod '{pod.Reference}' is not running{Why(target)}.");
        }

        return target;
    }

    /// <summary>What to tell the user about the memory the pod has left; null when there is enough of it.</summary>
    public static string? MemoryWarning(PodReference pod, long? limit, long? used)
    {
        if (limit is null)
        {
            return null;
        }

        const string Counts = "and what the debug container uses counts against it.";
        long room = limit.Value - (used ?? 0);
        if (used is not null && room < SmallRoom)
        {
            return $"Pod '{pod}' has {Math.Max(room, 0) >> 20} MiB left under its memory limit of {limit >> 20} MiB, "
                + Counts;
        }

        return used is null && limit < SmallLimit
            ? $"Pod '{pod}' has a memory limit of only {limit >> 20} MiB, {Counts}"
            : null;
    }

    /// <summary>The pod's memory limit: the sum, when every container has one.</summary>
    public static long? MemoryLimit(PodInfo pod)
        => pod.Containers.Count > 0 && pod.Containers.All(c => c.MemoryLimit is not null)
            ? pod.Containers.Sum(c => c.MemoryLimit)
            : null;

    private static string Why(ContainerInfo container)
        => container.WaitingReason is null
            ? string.Empty
            : container.WaitingMessage is null
                ? $": {container.WaitingReason}"
                : $": {container.WaitingReason}, {container.WaitingMessage}";
}
