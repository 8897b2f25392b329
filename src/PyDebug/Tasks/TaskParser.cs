using System;
using System.Collections.Generic;
using System.Text.Json;

namespace PyDebug.Internal;

/// <summary>
/// Makes records of the agent's answer to <c>tasks</c>, which comes in parts: the tasks of one Python, in the order of
/// their tree.
/// </summary>
internal sealed class TaskParser(PodDebugSession session)
{
    private const int MostTasks = 1_000_000;

    private const int MostLinks = 100_000;

    private const int MostNotes = 100;

    private readonly List<PyTask> _tasks = [];

    private readonly List<TaskLinks> _links = [];

    private int _pid;

    /// <summary>The process whose tasks are still to come; 0 where none are.</summary>
    public int Unfinished => _tasks.Count > 0 ? _pid : 0;

    /// <summary>How many tasks there are in all, as the last part had it.</summary>
    public long Total { get; private set; }

    /// <summary>What is missing, as the last part had it.</summary>
    public IReadOnlyList<string> Warnings { get; private set; } = [];

    /// <summary>Remarks on how the tasks were had, as the last part had them.</summary>
    public IReadOnlyList<string> Notes { get; private set; } = [];

    /// <summary>Takes a part; false where it cannot be read.</summary>
    /// <param name="item">The part.</param>
    /// <param name="now">When it came.</param>
    /// <param name="tasks">All tasks, where this was the last part.</param>
    public bool Add(JsonElement item, DateTime now, out IReadOnlyList<PyTask>? tasks)
    {
        tasks = null;
        if (item.Integer("pid") is not int pid || pid <= 0 || FrameParser.Table(item) is not List<StackFrame> table)
        {
            return false;
        }

        _pid = pid;
        string? version = item.Text("version");
        foreach (JsonElement task in item.Items("tasks", Math.Max(0, MostTasks - _tasks.Count)))
        {
            if (FrameParser.Stack(task, "stack", table) is not StackFrame[] frames)
            {
                return false;
            }

            Array.Reverse(frames);
            _tasks.Add(new PyTask
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
                Frames = frames,
                PythonVersion = version,
            });
            _links.Add(new TaskLinks(
                task.Text("future"), task.Texts("links", MostLinks), task.Texts("children", MostLinks)));
        }

        if (item.Flag("last") == true)
        {
            Total = item.Long("total") ?? _tasks.Count;
            Warnings = item.Texts("warnings", MostNotes);
            Notes = item.Texts("notes", MostNotes);
            tasks = Finish(item.Number("held"));
        }

        return true;
    }

    /// <summary>The tasks that there are so far.</summary>
    public IReadOnlyList<PyTask> Finish(double? heldMicroseconds)
    {
        IReadOnlyList<PyTask> tasks = TaskTree.Arrange(TaskLinks.Connect(_tasks, _links), heldMicroseconds);
        _tasks.Clear();
        _links.Clear();
        return tasks;
    }
}
