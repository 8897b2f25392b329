using System.Collections.Generic;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>Picks the container of a pod that is meant.</summary>
internal static class TargetContainer
{
    /// <summary>The container named, the pod's default, or its only one.</summary>
    /// <exception cref="PyDebugException">There is no such container, or several and none is the default.</exception>
    public static ContainerInfo Pick(PodInfo pod, string? name, PodTarget target)
    {
        string? wanted = name ?? pod.DefaultContainer;
        string names = pod.ContainerNames;
        if (wanted is not null)
        {
            return pod.Find(wanted)
                ?? throw ErrorFactory.Local(
                    Causes.ContainerNotFound,
                    name is null
                        ? $"Pod '{target}' names '{wanted}' as its default container and has none of that name."
                        : $"Pod '{target}' has no container '{wanted}'.",
                    target,
                    new Dictionary<string, string> { ["containers"] = names });
        }

        return pod.Containers.Count == 1
            ? pod.Containers[0]
            : throw ErrorFactory.Local(
                LocalCause.ContainerAmbiguous,
                $"Pod '{target}' has {pod.Containers.Count} containers and no default: {names}.",
                target);
    }
}
