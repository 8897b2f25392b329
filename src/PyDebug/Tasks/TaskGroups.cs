using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>Finds tasks that are the same but for their number and name.</summary>
internal static class TaskGroups
{
    /// <summary>Tasks by their state and where they stand, those that run first, then the most numerous.</summary>
    public static IReadOnlyList<PyTaskGroup> Of(IReadOnlyList<PyTask> tasks)
        => StackGroups.Of(tasks, Key, Group);

    /// <summary>A hint at the summary, where many tasks are equal; null elsewhere.</summary>
    public static string? Hint(IReadOnlyList<PyTask> tasks)
        => StackGroups.Most(tasks, Of) is PyTaskGroup most ? StackGroups.Hint(most, "tasks", most.Awaits) : null;

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
