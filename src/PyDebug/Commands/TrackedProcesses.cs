using System.Collections.Generic;
using System.Linq;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>Which processes of a session are meant, where one is to be changed.</summary>
internal static class TrackedProcesses
{
    /// <summary>Those that were named; where none were, the one Python of the target's own container.</summary>
    /// <param name="session">The session that was given.</param>
    /// <param name="wanted">The ids that were given; null where none were.</param>
    /// <param name="found">The Python processes that there are.</param>
    /// <exception cref="PyDebugException">None was named, and there is not just one.</exception>
    public static IReadOnlyList<PyProcess> Choose(
        PodDebugSession session,
        IReadOnlyCollection<int>? wanted,
        IReadOnlyList<PyProcess> found)
    {
        if (wanted is not null)
        {
            // One that is not there is named all the same: the agent says what it is instead.
            return [.. wanted.Select(id => found.FirstOrDefault(p => p.ProcessId == id) ?? Unknown(session, id))];
        }

        List<PyProcess> own = [.. found.Where(p => p.InTargetContainer != false)];
        return own.Count switch
        {
            1 => own,
            0 => throw ErrorFactory.Local(
                AgentCause.NoPython, $"There is no Python process in {session.Target()}.", session.Target()),
            _ => throw ErrorFactory.Local(
                AgentCause.AmbiguousProcess,
                $"{session.Target()} has {own.Count} Python processes: "
                + string.Join(", ", own.Select(p => $"{p.ProcessId} ({p.Role?.ToLowerInvariant()})")) + ".",
                session.Target(),
                new Dictionary<string, string> { ["pids"] = string.Join(", ", own.Select(p => p.ProcessId)) }),
        };
    }

    private static PyProcess Unknown(PodDebugSession session, int processId) => new()
    {
        Namespace = session.Namespace,
        PodName = session.PodName,
        ContainerName = session.ContainerName,
        ProcessId = processId,
    };
}
