using System;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>Makes sessions of what the engine knows about debug containers.</summary>
internal static class Sessions
{
    /// <summary>The session that is in the pod under the name which another one gives.</summary>
    /// <exception cref="PyDebugException">There is none, or it is not what PyDebug starts.</exception>
    public static async Task<PodDebugSession> VerifyAsync(
        KubeGateway gateway, PodDebugSession session, CancellationToken ct)
    {
        PodReference reference = new()
        {
            Namespace = session.Namespace, Name = session.PodName, Uid = session.PodUid,
        };
        PodInfo pod = await gateway.GetPodAsync(reference, ct).ConfigureAwait(false);
        string name = $"'{session.DebugContainer}' in pod '{pod.Reference}'";
        return gateway.FindDebugContainers(pod).FirstOrDefault(c => c.Name == session.DebugContainer) switch
        {
            { IsOurs: true } container => From(container, pod, session.Connection),
            null when !pod.HasContainer(session.DebugContainer) => throw ErrorFactory.Local(
                Causes.DebugContainerGone, $"There is no debug container {name}.", session.Target()),
            null => throw ErrorFactory.Local(
                Causes.NotPyDebug, $"Container {name} is no debug container of PyDebug's.", session.Target()),
            _ => throw ErrorFactory.Local(
                Causes.NotPyDebug,
                $"Container {name} carries PyDebug's mark and is not what this version of PyDebug starts: another "
                + "version's, or somebody else's.",
                session.Target()),
        };
    }

    public static PodDebugSession From(DebugContainerInfo container, PodInfo pod, ConnectionSettings? connection)
    {
        ContainerInfo? target = pod.Find(container.TargetContainer);
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
            StartedBy = container.StartedBy,
            Reason = container.Reason,
            SharesProcesses = container.SharesProcesses,
            IsVerified = container.IsOurs,
            Connection = connection,
        };
    }
}
