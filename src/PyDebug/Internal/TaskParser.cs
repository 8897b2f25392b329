using System;
using System.Collections.Generic;
using System.Text.Json;

namespace PyDebug.Internal;

/// <summary>Makes records of the agent's answer to <c>tasks</c>, in the order of the tree of tasks.</summary>
internal static class TaskParser
{
    private const int MostTasks = 1_000_000;

    private const int MostLinks = 100_000;

    /// <summary>The tasks of one process, or null where the answer names no process.</summary>
    public static IReadOnlyList<PyTask>? Parse(JsonElement item, PodDebugSession session, DateTime now)
    {
        if (item.Integer("pid") is not int pid || pid <= 0)
        {
            return null;
        }

        string? version = item.Text("version");
        List<PyTask> tasks = [];
        foreach (JsonElement task in item.Items("tasks", MostTasks))
        {
            List<StackFrame> frames = FrameParser.Parse(task, "frames");
            frames.Reverse();
            tasks.Add(new PyTask
            {
                Namespace = session.Namespace,
                PodName = session.PodName,
                ContainerName = session.ContainerName,
                NodeName = session.NodeName,
                ProcessId = pid,
                Timestamp = now,
                Id = task.Text("id") ?? "",
                Name = task.Text("name") ?? "",
                State = task.Text("state") ?? "unknown",
                Loop = task.Integer("loop"),
                ThreadId = task.Long("tid"),
                Awaits = task.Text("awaits"),
                WaitsFor = task.Texts("waitsFor", MostLinks),
                Waiters = task.Texts("waiters", MostLinks),
                Frames = frames,
                PythonVersion = version,
            });
        }

        return TaskTree.Arrange(tasks, item.Number("held"));
    }
}
