using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace PyDebug.Internal;

/// <summary>Finds threads and tasks that are the same but for their number and name.</summary>
internal static class StackGroups
{
    /// <summary>From how many equal ones on a list of them is worth a hint.</summary>
    public const int ManyEqual = 20;

    private const string Descriptor = " fd ";

    /// <summary>Threads by what they do and where, those that run first, then the most numerous.</summary>
    public static IReadOnlyList<PyThreadGroup> Of(IReadOnlyList<PyThreadStack> threads)
        => [.. threads.GroupBy(Key).Select(g => Group([.. g]))
            .OrderBy(g => g.State == "running" ? 0 : 1).ThenByDescending(g => g.Count)];

    /// <summary>Tasks by their state and where they stand, those that run first, then the most numerous.</summary>
    public static IReadOnlyList<PyTaskGroup> Of(IReadOnlyList<PyTask> tasks)
        => [.. tasks.GroupBy(Key).Select(g => Group([.. g]))
            .OrderBy(g => g.State == "running" ? 0 : 1).ThenByDescending(g => g.Count)];

    /// <summary>A hint at the summary, where many threads are equal; null elsewhere.</summary>
    public static string? Hint(IReadOnlyList<PyThreadStack> threads)
        => threads.Count > ManyEqual && Of(threads).MaxBy(g => g.Count) is { Count: > ManyEqual } most
            ? Hint(most.Count, "threads", most.WaitsFor, most.Frames)
            : null;

    /// <summary>A hint at the summary, where many tasks are equal; null elsewhere.</summary>
    public static string? Hint(IReadOnlyList<PyTask> tasks)
        => tasks.Count > ManyEqual && Of(tasks).MaxBy(g => g.Count) is { Count: > ManyEqual } most
            ? Hint(most.Count, "tasks", most.Awaits, most.Frames)
            : null;

    private static string Hint(int count, string what, string? waits, IReadOnlyList<StackFrame> frames)
    {
        string place = frames.Count > 0 ? $"at {FrameText.Innermost(frames)}" : "without frames";
        string why = string.IsNullOrEmpty(waits) ? "" : $", waiting for {SafeText.Line(waits, 40)}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{count:#,0} {what} are equal ({place}{why}). -Summary writes equal ones as one record.");
    }

    private static PyThreadGroup Group(IReadOnlyList<PyThreadStack> threads)
    {
        PyThreadStack first = threads[0];
        bool same = threads.All(t => t.WaitsFor == first.WaitsFor);
        return new PyThreadGroup
        {
            Namespace = first.Namespace,
            PodName = first.PodName,
            ContainerName = first.ContainerName,
            NodeName = first.NodeName,
            ProcessId = first.ProcessId,
            Timestamp = first.Timestamp,
            Count = threads.Count,
            ThreadIds = [.. threads.Select(t => t.ThreadId)],
            Names = [.. threads.Select(t => t.Name).OfType<string>().Where(n => n.Length > 0).Distinct()],
            State = first.State,
            WaitsFor = same ? first.WaitsFor : Kind(first.WaitsFor),
            HoldsGil = threads.Any(t => t.HoldsGil == true) ? true : first.HoldsGil,
            CpuSeconds = threads.Any(t => t.CpuSeconds is not null) ? threads.Sum(t => t.CpuSeconds ?? 0) : null,
            Error = first.Error,
            Frames = first.Frames,
            OmittedFrameCount = first.OmittedFrameCount,
            PythonVersion = first.PythonVersion,
            CommandLine = first.CommandLine,
            Snapshot = first.Snapshot,
        };
    }

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

    private static string Key(PyThreadStack thread)
        => Key(thread.ProcessId, thread.PythonVersion, thread.State, Kind(thread.WaitsFor), thread.Error, thread.Frames);

    private static string Key(PyTask task)
        => Key(task.ProcessId, task.PythonVersion, task.State, task.Awaits, null, task.Frames);

    private static string Key(
        int process,
        string? version,
        string state,
        string? waits,
        string? error,
        IReadOnlyList<StackFrame> frames)
    {
        StringBuilder key = new();
        key.Append(CultureInfo.InvariantCulture, $"{process}\n{version}\n{state}\n{waits}\n{error}");
        foreach (StackFrame frame in frames)
        {
            key.Append(CultureInfo.InvariantCulture, $"\n{frame.Name}\t{frame.FileName}\t{frame.Line}");
        }

        return key.ToString();
    }

    /// <summary>The call without its descriptor: the threads of a pool wait for a connection each.</summary>
    private static string? Kind(string? waits)
    {
        int cut = waits?.IndexOf(Descriptor, StringComparison.Ordinal) ?? -1;
        return cut > 0 ? waits![..cut] : waits;
    }
}
