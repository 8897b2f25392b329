using System;
using System.Text.Json;

namespace PyDebug.Internal;

/// <summary>Makes a record of the agent's description of a process.</summary>
internal static class ProcessParser
{
    private const int MostArguments = 4096;

    /// <summary>The record, or null where the description names no process.</summary>
    public static PyProcess? Parse(JsonElement item, PodDebugSession session, DateTime now)
    {
        if (item.Integer("pid") is not int pid || pid <= 0)
        {
            return null;
        }

        return new PyProcess
        {
            Namespace = session.Namespace,
            PodName = session.PodName,
            ContainerName = session.ContainerName,
            NodeName = session.NodeName,
            ProcessId = pid,
            Timestamp = now,
            ParentProcessId = item.Integer("parent") ?? 0,
            Name = item.Text("name") ?? "",
            CommandLine = CommandLine.Join(item.Texts("command", MostArguments)),
            Executable = item.Text("executable"),
            PythonVersion = item.Text("version"),
            Implementation = item.Text("implementation"),
            Role = item.Text("role"),
            State = item.Text("state"),
            AgeSeconds = item.Number("age"),
            UserId = item.Long("uid"),
            ThreadCount = item.Integer("threads"),
            ResidentBytes = item.Long("rss"),
            CpuSeconds = item.Number("cpu"),
            StartTime = item.Time("started"),
            InTargetContainer = item.Flag("container"),
            DebugContainer = session.DebugContainer,
            PodUid = session.PodUid,
            Session = session,
        };
    }
}
