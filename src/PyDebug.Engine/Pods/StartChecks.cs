using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Engine;

/// <summary>What is looked at before anything is changed.</summary>
internal static class StartChecks
{
    private static readonly Dictionary<string, string> s_none = [];

    /// <summary>The target container, when a debug container can be added for it.</summary>
    public static ContainerInfo Check(PodInfo pod, string targetContainer)
    {
        string name = $"Pod '{pod.Reference}'";
        if (pod.Os == "windows")
        {
            throw new EngineException(Causes.PodIsWindows, $"{name} runs on Windows, where PyDebug cannot work.");
        }

        string names = pod.ContainerNames;
        ContainerInfo target = pod.Find(targetContainer)
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
            throw new EngineException(Causes.PodDeleting, $"{name} is being deleted.");
        }

        if (KubeJson.Text(pod.Raw, "metadata", "annotations", "kubernetes.io/config.mirror") is not null)
        {
            throw new EngineException(Causes.StaticPod, $"{name} is a static pod, which takes no debug containers.");
        }

        // The kubelet starts ephemeral containers before it starts init containers: one that never ends can be
        // debugged.
        if (pod.Phase != "Running" && !(pod.Phase == "Pending" && target is { IsInit: true, Running: true }))
        {
            throw new EngineException(Causes.PodNotRunning, $"{name} is not running yet ({pod.Phase}){Why(target)}.")
            {
                Detail = pod.InitContainers.FirstOrDefault(c => c.Running) is ContainerInfo waiting
                    ? new() { ["init"] = waiting.Name }
                    : s_none,
            };
        }

        if (!target.Running)
        {
            throw new EngineException(
                Causes.TargetNotRunning,
                $"Container '{target.Name}' of pod '{pod.Reference}' is not running{Why(target)}.")
            {
                Detail = target.RestartCount > 0 ? new() { ["restarts"] = $"{target.RestartCount}" } : s_none,
            };
        }

        return target;
    }

    private static string Why(ContainerInfo container)
    {
        string ended = container.LastExitCode is null ? "" : $": it {GoneDiagnosis.EndOf(container)}";
        // What ended is told by its end; the word for that is the same again.
        string? reason = container.WaitingReason == container.LastEndReason && ended.Length > 0
            ? null
            : container.WaitingReason;
        string message = container.WaitingMessage is string said ? $", {said.Trim().TrimEnd('.')}" : "";
        return reason is null ? ended : $"{ended}{(ended.Length > 0 ? "; " : ": ")}{reason}{message}";
    }
}
