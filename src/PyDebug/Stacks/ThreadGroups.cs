using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>Finds threads that are the same but for their number and name.</summary>
internal static class ThreadGroups
{
    /// <summary>Threads by what they do and where, those that run first, then the most numerous.</summary>
    public static IReadOnlyList<PyThreadGroup> Of(IReadOnlyList<PyThreadStack> threads)
        => StackGroups.Of(threads, Key, Group);

    /// <summary>A hint at the summary, where many threads are equal; null elsewhere.</summary>
    public static string? Hint(IReadOnlyList<PyThreadStack> threads)
        => StackGroups.Most(threads, Of) is PyThreadGroup most
            ? StackGroups.Hint(most, "threads", most.WaitsFor)
            : null;

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
            WaitsFor = same ? first.WaitsFor : StackGroups.Kind(first.WaitsFor),
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

    private static string Key(PyThreadStack thread) => StackGroups.Key(
        thread.ProcessId, thread.PythonVersion, thread.State, StackGroups.Kind(
            thread.WaitsFor), thread.Error, thread.Frames);
}
