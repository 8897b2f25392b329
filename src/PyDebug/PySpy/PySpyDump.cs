using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using PyDebug.Internal;

namespace PyDebug.Tools.PySpy;

/// <summary>
/// Reads the JSON of <c>py-spy dump --json</c>, version 0.4. Nothing in it is required but its frames: names are null
/// while Python starts, and frames are empty for threads outside Python.
/// </summary>
internal static class PySpyDump
{
    private const int MostFrames = 100_000;

    private const int MostThreads = 100_000;

    private const int MostLocals = 10_000;

    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 16 };

    /// <summary>The threads of one process.</summary>
    /// <param name="json">What py-spy wrote.</param>
    /// <param name="result">What is known about the run.</param>
    /// <param name="session">Where it ran.</param>
    /// <param name="nonBlocking">Whether the process ran on meanwhile.</param>
    /// <param name="now">When it was read.</param>
    /// <exception cref="InvalidDataException">It is not what py-spy 0.4 writes.</exception>
    public static IReadOnlyList<PyThreadStack> Parse(
        Stream json,
        PySpyResult result,
        PodDebugSession session,
        bool nonBlocking,
        DateTime now)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, s_options);
            if (document.RootElement.ValueKind != JsonValueKind.Array)
            {
                throw new InvalidDataException("It is not a list of threads.");
            }

            List<PyThreadStack> threads = [];
            foreach (JsonElement thread in document.RootElement.EnumerateArray().Take(MostThreads))
            {
                if (thread.Part("frames").ValueKind != JsonValueKind.Array)
                {
                    throw new InvalidDataException("A thread has no 'frames'.");
                }

                if ((thread.Integer("pid") ?? result.ProcessId) == result.ProcessId)
                {
                    threads.Add(Thread(thread, result, session, nonBlocking, now));
                }
            }

            // A process has its main thread's id.
            return [
                .. Identified(threads, result).Select(t => t with { IsMainThread = t.ThreadId == result.ProcessId })];
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"It is not complete JSON (line {e.LineNumber + 1}).");
        }
    }

    private static PyThreadStack Thread(
        JsonElement thread,
        PySpyResult result,
        PodDebugSession session,
        bool nonBlocking,
        DateTime now)
        => new()
        {
            Namespace = session.Namespace,
            PodName = session.PodName,
            ContainerName = session.ContainerName,
            NodeName = session.NodeName,
            ProcessId = result.ProcessId,
            Timestamp = now,
            ThreadId = thread.Long("os_thread_id") ?? 0,
            Name = thread.Text("thread_name"),
            State = thread.Flag("active") switch
            {
                true => "running",
                false => "idle",
                null => "unknown",
            },
            HoldsGil = thread.Flag("owns_gil"),
            Source = nonBlocking ? "unheld" : "stopped",
            Frames = [.. thread.Items("frames", MostFrames).Select(Frame)],
            PythonVersion = result.PythonVersion,
            CommandLine = result.CommandLine,
        };

    private static StackFrame Frame(JsonElement frame)
    {
        int? line = frame.Integer("line");
        return new StackFrame
        {
            Name = frame.Text("name") ?? "",
            FileName = frame.Text("filename") ?? "",
            Line = line > 0 ? line : null,
            Module = frame.Text("module"),
            Locals = frame.Part("locals").ValueKind == JsonValueKind.Array
                ? [.. frame.Items("locals", MostLocals).Select(Local)]
                : null,
        };
    }

    private static StackLocal Local(JsonElement local) => new()
    {
        Name = local.Text("name") ?? "",
        Value = local.Text("repr") ?? "",
        IsArgument = local.Flag("arg") ?? false,
    };

    /// <summary>
    /// A worker that was forked keeps its parent's id for its main thread, and py-spy looks up there whether it runs.
    /// An id that is no thread of the process is not an id, and the state that came with it not a state.
    /// </summary>
    private static IReadOnlyList<PyThreadStack> Identified(List<PyThreadStack> threads, PySpyResult result)
    {
        if (result.Threads is not IReadOnlySet<long> known)
        {
            return threads;
        }

        bool mainIsFree = known.Contains(result.ProcessId) && threads.All(t => t.ThreadId != result.ProcessId);
        int wrong = threads.Count(t => !known.Contains(t.ThreadId));
        return
        [
            .. threads.Select(t => known.Contains(t.ThreadId)
                ? t
                : mainIsFree && wrong == 1
                    ? t with { ThreadId = result.ProcessId, State = State(t, result, result.ProcessId) }
                    : t with { ThreadId = 0, State = State(t, result, 0) }),
        ];
    }

    /// <summary>What the kernel said of the thread just before, where it is known which one it is.</summary>
    private static string State(PyThreadStack thread, PySpyResult result, long id)
        => thread.HoldsGil == true ? "running" : result.States.GetValueOrDefault(id) switch
        {
            null => "unknown",
            "R" => "running",
            _ => "idle",
        };
}
