using System;
using System.Collections.Generic;
using System.Text.Json;

namespace PyDebug.Internal;

/// <summary>Makes records of the agent's answer to <c>stack</c>: one for each thread of a process.</summary>
internal static class StackParser
{
    private const int MostThreads = 100_000;

    private const int MostNotes = 100;

    /// <summary>What is said about a process as a whole.</summary>
    public static StackSnapshot Snapshot(JsonElement item)
        => new()
        {
            Running = item.Integer("running") ?? 0,
            HeldMicroseconds = item.Number("held"),
            FreeThreaded = item.Flag("freeThreaded") ?? false,
            Notes = item.Texts("notes", MostNotes),
            Warnings = item.Texts("warnings", MostNotes),
        };

    /// <summary>The threads of one process, or null where the answer names no process.</summary>
    public static IReadOnlyList<PyThreadStack>? Parse(JsonElement item, PodDebugSession session, DateTime now)
    {
        if (item.Integer("pid") is not int pid || pid <= 0)
        {
            return null;
        }

        StackSnapshot snapshot = Snapshot(item);
        string? version = item.Text("version");
        string? command = item.Text("command");
        List<PyThreadStack> threads = [];
        foreach (JsonElement thread in item.Items("threads", MostThreads))
        {
            threads.Add(new PyThreadStack
            {
                Namespace = session.Namespace,
                PodName = session.PodName,
                ContainerName = session.ContainerName,
                NodeName = session.NodeName,
                ProcessId = pid,
                Timestamp = now,
                ThreadId = thread.Long("tid") ?? 0,
                Name = thread.Text("name"),
                IsMainThread = thread.Flag("main") ?? false,
                State = thread.Text("state") ?? "unknown",
                WaitsFor = thread.Text("waitsFor"),
                HoldsGil = thread.Flag("gil"),
                CpuSeconds = thread.Number("cpu"),
                Source = thread.Text("how") ?? "none",
                HeldMicroseconds = thread.Number("held"),
                Error = thread.Text("error"),
                Frames = FrameParser.Parse(thread, "frames"),
                OmittedFrameCount = thread.Long("left") ?? 0,
                KernelState = thread.Text("kernelState"),
                PythonVersion = version,
                CommandLine = command,
                Snapshot = snapshot,
            });
        }

        return threads;
    }
}
