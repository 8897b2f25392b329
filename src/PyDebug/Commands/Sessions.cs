using System;
using System.Globalization;
using System.Linq;
using PyDebug.Engine;

namespace PyDebug.Commands;

/// <summary>Makes sessions of what the engine knows about debug containers.</summary>
internal static class Sessions
{
    public static PodDebugSession From(DebugContainerInfo container, PodInfo pod, ConnectionSettings? connection)
    {
        ContainerInfo? target = pod.Containers.FirstOrDefault(c => c.Name == container.TargetContainer);
        return new PodDebugSession
        {
            Namespace = container.Pod.Namespace,
            PodName = container.Pod.Name,
            ContainerName = container.TargetContainer,
            NodeName = container.NodeName ?? pod.NodeName,
            Timestamp = DateTime.UtcNow,
            DebugContainer = container.Name,
            Profile = container.Profile,
            User = container.User switch
            {
                null => null,
                0 => "root",
                long number => number.ToString(CultureInfo.InvariantCulture),
            },
            Image = container.Image,
            ImageSource = container.Image == target?.Image ? "Application" : "Named",
            State = container.State,
            Python = container.Python,
            Reused = container.Reused,
            Created = container.Created,
            Started = container.Started,
            PodUid = container.Pod.Uid,
            TargetContainerId = container.TargetContainerId,
            TargetRestartCount = target?.RestartCount ?? 0,
            TargetLastEndReason = target?.LastEndReason,
            TargetLastEnded = target?.LastEnded,
            Connection = connection,
        };
    }
}
