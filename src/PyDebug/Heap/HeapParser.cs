using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Heap;

/// <summary>
/// Makes a report of the agent's answer to <c>heap</c>. An answer without parts, or with sizes that are none, is
/// refused as a whole.
/// </summary>
internal static class HeapParser
{
    private const int MostParts = 100;

    private const int MostTypes = 10_000;

    private const int MostHolders = 2000;

    private const int MostSteps = 100;

    private const int MostNotes = 100;

    /// <summary>The report of one process, or null where the answer is not one.</summary>
    public static PyHeapReport? Parse(JsonElement item, PodDebugSession session, DateTime now, int shown)
    {
        if (item.Integer("pid") is not int pid
            || pid <= 0
            || item.Number("seconds") is not double seconds
            || seconds < 0
            || MemoryForecast.Points(item, "rss") is not { Count: > 0 } rss
            || Parts(item, session, pid) is not { Count: > 0 } parts
            || Types(item, session, pid) is not List<PyHeapType> types)
        {
            return null;
        }

        JsonElement container = Json.Part(item, "container");
        List<(double Seconds, double Bytes)> used = MemoryForecast.Points(container, "points");
        long? limit = Size(container, "limit");
        JsonElement why = Json.Part(item, "why");
        JsonElement left = Json.Part(item, "left");
        string? cause = why.Text("cause");
        PyHeapReport report = new()
        {
            Namespace = session.Namespace,
            PodName = session.PodName,
            ContainerName = session.ContainerName,
            NodeName = session.NodeName,
            ProcessId = pid,
            Timestamp = now,
            StartTime = item.Time("started"),
            CommandLine = item.Text("command"),
            PythonVersion = item.Text("version"),
            Allocator = item.Text("allocator"),
            DurationSeconds = seconds,
            LookCount = Math.Max(1, item.Integer("looks") ?? 1),
            PoolShare = Math.Max(1, item.Integer("every") ?? 1),
            ResidentBytes = (long)rss[0].Bytes,
            ResidentEndBytes = (long)rss[^1].Bytes,
            ResidentBytesPerSecond = MemoryForecast.Rate(rss)?.BytesPerSecond,
            SwapBytes = Size(item, "swap") ?? 0,
            ContainerBytes = used.Count > 0 ? (long)used[^1].Bytes : null,
            ContainerLimitBytes = limit,
            ContainerBytesPerSecond = MemoryForecast.Rate(used)?.BytesPerSecond,
            SecondsToLimit = MemoryForecast.SecondsToLimit(used, limit),
            Parts = parts,
            Types = types,
            Holders = Holders(item, session, pid),
            TypeCount = item.Integer("typeCount") ?? types.Count,
            OmittedTypeCount = left.Integer("types") ?? 0,
            OmittedBytes = Size(left, "bytes") ?? 0,
            ShownTypeCount = shown,
            UnknownBytes = Size(item, "unknown") ?? 0,
            CoveragePercent = Math.Round(100 * Math.Clamp(item.Number("coverage") ?? 0, 0, 10), 3),
            TornPoolCount = Size(item, "torn") ?? 0,
            WhyNoCensus = why.Text("message"),
            WhyNoCensusCause = cause,
            AgentCpuSeconds = item.Number("agentCpu"),
            Notes = item.Texts("notes", MostNotes),
        };
        return report with
        {
            Warnings = HeapWarnings.Of(report),
            Advice = HeapWarnings.Advice(report, MemoryForecast.Rate(MemoryForecast.Files(container, "points"))),
        };
    }

    private static List<PyHeapPart>? Parts(JsonElement item, PodDebugSession session, int pid)
    {
        List<PyHeapPart> parts = [];
        foreach (JsonElement part in item.Items("parts", MostParts))
        {
            if (part.Text("name") is not string kind
                || Size(part, "bytes") is not long bytes
                || Size(part, "bytesEnd") is not long end)
            {
                return null;
            }

            parts.Add(new PyHeapPart
            {
                Namespace = session.Namespace,
                PodName = session.PodName,
                ContainerName = session.ContainerName,
                ProcessId = pid,
                Name = HeapText.Part(kind),
                Kind = kind,
                Bytes = bytes,
                EndBytes = end,
                BytesPerSecond = part.Number("slope"),
                BytesPerSecondMargin = part.Number("margin"),
                IsBound = kind == "CLibraryUsed",
            });
        }

        return parts;
    }

    private static List<PyHeapType>? Types(JsonElement item, PodDebugSession session, int pid)
    {
        List<PyHeapType> types = [];
        foreach (JsonElement type in item.Items("types", MostTypes))
        {
            if (type.Text("name") is not string name
                || Size(type, "count") is not long count
                || Size(type, "objectBytes") is not long bytes
                || Size(type, "tableBytes") is not long tables)
            {
                return null;
            }

            string module = type.Text("module") ?? "";
            types.Add(new PyHeapType
            {
                Namespace = session.Namespace,
                PodName = session.PodName,
                ContainerName = session.ContainerName,
                ProcessId = pid,
                Type = Full(module, name),
                Name = name,
                Module = module,
                Count = count,
                ObjectBytes = bytes,
                TableBytes = tables,
                Bytes = bytes + tables,
                CountMargin = Size(type, "countMargin") ?? 0,
                BytesMargin = Size(type, "bytesMargin") ?? 0,
                CountPerSecond = type.Number("slope"),
                CountPerSecondMargin = type.Number("slopeMargin"),
                BytesPerSecond = type.Number("bytesSlope"),
                BytesPerSecondMargin = type.Number("bytesSlopeMargin"),
                Grows = type.Text("grows") is "Yes" or "No" or "Unsure" or "Stepped" ? type.Text("grows") : null,
                BornAndKept = Size(type, "kept"),
            });
        }

        return types;
    }

    private static List<PyHeapHolder> Holders(JsonElement item, PodDebugSession session, int pid)
        =>
        [
            .. item.Items("holders", MostHolders).Select(holder => new PyHeapHolder
            {
                Namespace = session.Namespace,
                PodName = session.PodName,
                ContainerName = session.ContainerName,
                ProcessId = pid,
                Type = Full(holder.Text("module") ?? "", holder.Text("name") ?? ""),
                Root = holder.Text("root") ?? "",
                Path = holder.Text("path") ?? "",
                Steps = holder.Texts("steps", MostSteps),
                SampleCount = holder.Integer("samples") ?? 0,
                HeldSampleCount = holder.Integer("held") ?? 0,
                Container = holder.Text("container"),
                ContainerType = holder.Text("containerType"),
                ContainerLength = Size(holder, "length"),
                ContainerPerSecond = holder.Number("rate"),
                Verified = holder.Flag("verified") ?? false,
                Bytes = Size(holder, "bytes") ?? 0,
            }),
        ];

    private static string Full(string module, string name)
        => module.Length == 0 || module == "builtins" ? name : $"{module}.{name}";

    private static long? Size(JsonElement item, string name)
        => item.Long(name) is long size and >= 0 and < long.MaxValue / 4 ? size : null;
}
