using System.Collections.Generic;
using System.Linq;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>Which processes of a session are meant, where one is to be changed.</summary>
internal static class TrackedProcesses
{
    /// <summary>A copy of its parent that is younger than this may be gone in a moment.</summary>
    public const double FleetingSeconds = 3;

    private const string Worker = "Worker";

    private const string Helper = "Helper";

    /// <summary>
    /// Whether it may be one process that is meant, whose copies come and go: a second look after
    /// <see cref="FleetingSeconds"/> tells them from workers that have just been started.
    /// </summary>
    public static bool MayPass(IReadOnlyList<PyProcess> found)
        => Own(found).Count > 1 && Settled(Own(found)).Count == 1;

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

        List<PyProcess> own = Own(found);
        List<PyProcess> settled = Settled(own);
        return own.Count switch
        {
            1 => own,
            > 1 when settled.Count == 1 => settled,
            0 => throw ErrorFactory.Local(
                AgentCause.NoPython, $"There is no Python process in {session.Target()}.", session.Target()),
            _ => throw ErrorFactory.Local(
                AgentCause.AmbiguousProcess,
                $"{session.Target()} has {own.Count} Python processes: "
                + string.Join(", ", own.Select(Describe)) + ".",
                session.Target(),
                new Dictionary<string, string> { ["pids"] = string.Join(", ", own.Select(p => p.ProcessId)) }),
        };
    }

    private static string Describe(PyProcess process)
        => process.ResidentBytes is long size and > 0
            ? $"{process.ProcessId} ({process.Role?.ToLowerInvariant()}, {Amounts.Bytes(size)})"
            : $"{process.ProcessId} ({process.Role?.ToLowerInvariant()})";

    /// <summary>The Pythons of the target's own container, without those that only look after others.</summary>
    private static List<PyProcess> Own(IReadOnlyList<PyProcess> found)
    {
        List<PyProcess> all = [.. found.Where(p => p.InTargetContainer != false)];
        List<PyProcess> own = [.. all.Where(p => p.Role != Helper)];
        return own.Count > 0 ? own : all;
    }

    /// <summary>Those that are more than a copy which somebody made a moment ago.</summary>
    private static List<PyProcess> Settled(List<PyProcess> own)
        => [.. own.Where(p => p.Role != Worker || p.AgeSeconds is not < FleetingSeconds)];

    private static PyProcess Unknown(PodDebugSession session, int processId) => new()
    {
        Namespace = session.Namespace,
        PodName = session.PodName,
        ContainerName = session.ContainerName,
        ProcessId = processId,
    };
}
