using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>Finds tasks that are the same but for their number and name.</summary>
internal static class TaskGroups
{
    /// <summary>Tasks by their state and where they stand, those that run first, then the most numerous.</summary>
    public static IReadOnlyList<PyTaskGroup> Of(IReadOnlyList<PyTask> tasks)
        => [.. tasks.GroupBy(Key).Select(g => Group([.. g]))
            .OrderBy(g => g.State == "running" ? 0 : 1).ThenByDescending(g => g.Count)];

    /// <summary>A hint at the summary, where many tasks are equal; null elsewhere.</summary>
    public static string? Hint(IReadOnlyList<PyTask> tasks)
        => tasks.Count > StackGroups.ManyEqual
            && Of(tasks).MaxBy(g => g.Count) is { Count: > StackGroups.ManyEqual } most
            ? StackGroups.Hint(most.Count, "tasks", most.Awaits, most.Frames)
            : null;

    private static PyTaskGroup Group(IReadOnlyList<PyTask> tasks)
    {
        PyTask first = tasks[0];
        return new PyTaskGroup
        {
            Namespace = first.Namespace,
            PodName = first.PodName,
            ContainerName = first.ContainerName,
            NodeName = first.NodeName,
            ProcessId = first.ProcessId,
            Timestamp = first.Timestamp,
            Count = tasks.Count,
            Ids = [.. tasks.Select(t => t.Id)],
            Names = [.. tasks.Select(t => t.Name).Distinct()],
            State = first.State,
            Awaits = first.Awaits,
            Frames = first.Frames,
            PythonVersion = first.PythonVersion,
            Place = first.Place is TaskPlace place ? place with { Prefix = "" } : null,
        };
    }

    private static string Key(PyTask task)
        => StackGroups.Key(task.ProcessId, task.PythonVersion, task.State, task.Awaits, null, task.Frames);
}
