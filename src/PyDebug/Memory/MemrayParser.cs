using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using PyDebug.Heap;

namespace PyDebug.Internal;

/// <summary>
/// Makes a report of the agent's answers to <c>memray</c> and <c>memrayRead</c>. An answer whose frames point nowhere,
/// or whose amounts are none, is refused as a whole.
/// </summary>
internal static class MemrayParser
{
    /// <summary>The name of the frame that stands for those that a deep stack is cut by.</summary>
    public const string Cut = "[cut]";

    private const int MostStacks = 20_000;

    private const int MostArguments = 4096;

    private const int MostPoints = 10_000;

    private const int MostAllocators = 100;

    private const int MostSizes = 1000;

    private const int MostLibraries = 100;

    /// <summary>No process has as much; sums of all stacks stay within a long.</summary>
    private const long MostBytes = 1L << 48;

    private const double LongestSilence = 1;

    private const double LongestSilentShare = 0.05;

    /// <summary>No window is as long; a time beyond it is none.</summary>
    private const double MostSeconds = 1e9;

    /// <summary>The report of one process, or null where the answer is not one.</summary>
    public static MemrayReport? Parse(JsonElement item, PodDebugSession session, DateTime now)
    {
        if (item.Integer("pid") is not int pid || pid <= 0 || Seconds(item, "seconds") is not double seconds)
        {
            return null;
        }

        JsonElement mode = Json.Part(item, "mode");
        JsonElement pause = Json.Part(item, "pause");
        JsonElement attach = Json.Part(item, "attach");
        JsonElement rehearsal = Json.Part(item, "rehearsal");
        JsonElement memory = Json.Part(item, "memory");
        JsonElement capture = Json.Part(item, "capture");
        JsonElement left = Json.Part(item, "left");
        MemrayReport report = new()
        {
            Namespace = session.Namespace,
            PodName = session.PodName,
            ContainerName = session.ContainerName,
            NodeName = session.NodeName,
            ProcessId = pid,
            Timestamp = now,
            CommandLine = Command(item),
            PythonVersion = item.Text("python"),
            MemrayVersion = item.Text("memray"),
            Native = mode.Flag("native") ?? false,
            PythonAllocators = mode.Flag("pythonAllocators") ?? false,
            Aggregated = mode.Flag("aggregate") ?? false,
            Started = item.Time("begun"),
            DurationSeconds = seconds,
            EndReason = End(item.Text("ended")),
            HeldMicroseconds = pause.Number("held"),
            PauseMilliseconds = pause.Number("longest"),
            UsualPauseMilliseconds = pause.Number("usual"),
            AttachMethod = attach.Text("how") switch
            {
                null => null,
                "remote-debugging" => "RemoteDebugging",
                "thread" => "Thread",
                string other => other,
            },
            AttachThreadId = attach.Long("thread"),
            AttachPlace = attach.Text("place"),
            AttachSeconds = attach.Number("seconds"),
            Rehearsal = rehearsal.Text("how") switch
            {
                "same" => "Same",
                "image" => "Image",
                "own" => "Own",
                string other => other,
                null => null,
            },
            RehearsalDetail = rehearsal.Text("detail"),
            CaptureBytes = Amount(capture, "bytes"),
            CapturePlace = capture.Text("place") switch
            {
                "disk" => "Disk",
                "memory" => "Memory",
                string other => other,
                null => null,
            },
            ContainerLimitBytes = Amount(memory, "limit"),
            ContainerBytes = Amount(memory, "used"),
            LeftMappingCount = left.Integer("mappings"),
            LeftLibraries = left.ValueKind == JsonValueKind.Object ? left.Texts("libraries", MostLibraries) : [],
        };
        return Fill(report, item);
    }

    /// <summary>The report of a capture in a file, or null where the answer is not one.</summary>
    public static MemrayReport? ParseRead(JsonElement item, string path, long size, DateTime now)
    {
        JsonElement metadata = Json.Part(Json.Part(item, "report"), "metadata");
        if (metadata.Integer("pid") is not int pid
            || pid <= 0
            || metadata.Number("begun") is not double begun
            || metadata.Number("ended") is not double ended)
        {
            return null;
        }

        // memray writes the beginning in the end's place until it ends, which a process that is killed does not come
        // to. Its last look at its memory is near to that.
        bool isWhole = ended > begun;
        double seconds = isWhole ? ended - begun : Timeline(Json.Part(item, "report"))?.LastOrDefault()?.Seconds ?? 0;
        MemrayReport report = new()
        {
            ProcessId = pid,
            Timestamp = now,
            CommandLine = Command(metadata),
            MemrayVersion = item.Text("memray"),
            Native = metadata.Flag("native") ?? false,
            PythonAllocators = metadata.Flag("tracePythonAllocators") ?? false,
            Aggregated = metadata.Text("format") == "aggregated",
            Started = metadata.Time("begun"),
            DurationSeconds = Math.Round(Math.Clamp(seconds, 0, MostSeconds), 3),
            EndReason = isWhole ? null : MemrayWarnings.Incomplete,
            CaptureBytes = size,
            CapturePath = path,
        };
        return Fill(report, item);
    }

    /// <summary>
    /// Whether a capture in a file ends before the window that it names: memray looks at the process's memory a hundred
    /// times a second until the end, and tells nobody that a file was cut.
    /// </summary>
    public static bool IsCut(MemrayReport report)
    {
        double last = report.Timeline.Count > 0 ? report.Timeline[^1].Seconds : 0;
        return report.DurationSeconds - last > Math.Max(LongestSilence, LongestSilentShare * report.DurationSeconds);
    }

    /// <summary>Adds what the capture says; a report without it says so.</summary>
    private static MemrayReport? Fill(MemrayReport about, JsonElement item)
    {
        JsonElement part = Json.Part(item, "report");
        if (part.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
        {
            return about with { Warnings = MemrayWarnings.OfEnd(about) };
        }

        JsonElement totals = Json.Part(part, "totals");
        if (Amount(totals, "leaked") is not long leaked
            || Amount(totals, "peak") is not long peak
            || FrameParser.Table(part) is not List<StackFrame> frames
            || Allocations(part, "leaked", about, frames) is not List<MemrayAllocation> kept
            || Allocations(part, "peak", about, frames) is not List<MemrayAllocation> atPeak
            || Timeline(part) is not List<MemrayMemoryPoint> timeline)
        {
            return null;
        }

        JsonElement memory = Json.Part(item, "memory");
        List<(double Seconds, double Bytes)> container = MemoryForecast.Points(memory, "points");
        JsonElement omitted = Json.Part(Json.Part(part, "omitted"), "leaked");
        JsonElement peakOmitted = Json.Part(Json.Part(part, "omitted"), "peak");
        MemrayReport report = about with
        {
            PythonAllocator = Json.Part(part, "metadata").Text("pythonAllocator"),
            AllocationCount = Amount(totals, "allocations"),
            AllocatedBytes = Amount(totals, "allocated"),
            LeakedBytes = leaked,
            LeakedCount = Amount(totals, "leakedCount"),
            LeakedBytesPerSecond = about.DurationSeconds > 0 ? Math.Round(leaked / about.DurationSeconds, 1) : null,
            PeakBytes = peak,
            PeakAtSeconds = totals.Number("peakAt") is double at ? Math.Clamp(at, 0, MostSeconds) : null,
            Allocations = kept,
            PeakAllocations = atPeak,
            Timeline = timeline,
            Allocators = Allocators(part),
            Sizes = Sizes(part),
            OmittedStackCount = Amount(omitted, "stacks") ?? 0,
            OmittedBytes = Amount(omitted, "size") ?? 0,
            OmittedCount = Amount(omitted, "count") ?? 0,
            PeakOmittedStackCount = Amount(peakOmitted, "stacks") ?? 0,
            PeakOmittedBytes = Amount(peakOmitted, "size") ?? 0,
            PeakOmittedCount = Amount(peakOmitted, "count") ?? 0,
            ResidentBytesPerSecond = MemrayGrowth.Rate(timeline) is double rate ? Math.Round(rate, 1) : null,
            ContainerBytesPerSecond = MemoryForecast.Rate(container)?.BytesPerSecond is double grown
                ? Math.Round(grown, 1) : null,
        };
        int cut = kept.Concat(atPeak).Count(a => a.Frames.Count > 0 && a.Frames[^1] is { Name: Cut, FileName: "" });
        return report with
        {
            SecondsToLimit = MemrayGrowth.SecondsToLimit(report, container),
            Warnings =
            [
                .. MemrayWarnings.OfEnd(report), .. MemrayWarnings.OfLists(report, cut),
                .. MemrayWarnings.OfContainer(report, container, MemoryForecast.Files(memory, "points")),
            ],
        };
    }

    /// <summary>A command line, as text or as its arguments.</summary>
    private static string? Command(JsonElement item)
        => item.Text("command")
            ?? (item.Texts("command", MostArguments) is { Count: > 0 } arguments ? CommandLine.Join(arguments) : null);

    private static string? End(string? name) => name switch
    {
        null => null,
        "time" => MemrayWarnings.Time,
        "limit" => MemrayWarnings.Limit,
        "memory" => MemrayWarnings.Memory,
        "exited" => MemrayWarnings.Exited,
        "tracker" => MemrayWarnings.Tracker,
        _ => MemrayWarnings.Other,
    };

    private static List<MemrayAllocation>? Allocations(
        JsonElement part,
        string name,
        MemrayReport about,
        List<StackFrame> frames)
    {
        List<MemrayAllocation> allocations = [];
        foreach (JsonElement entry in part.Items(name, MostStacks))
        {
            if (Amount(entry, "size") is not long size
                || Amount(entry, "count") is not long count
                || FrameParser.Stack(entry, frames) is not StackFrame[] stack)
            {
                return null;
            }

            StackFrame innermost = stack.Length > 0 ? stack[MemrayText.Innermost(stack)] : new StackFrame();
            allocations.Add(new MemrayAllocation
            {
                Namespace = about.Namespace,
                PodName = about.PodName,
                ContainerName = about.ContainerName,
                ProcessId = about.ProcessId,
                Function = innermost.Name,
                FileName = innermost.FileName,
                Line = innermost.Line,
                Allocator = entry.Text("allocator") ?? "",
                MemrayThreadId = entry.Long("tid"),
                Thread = entry.Text("thread") is { Length: > 0 } thread ? thread : null,
                Bytes = size,
                Count = count,
                Frames = stack,
            });
        }

        return [.. allocations.OrderByDescending(a => a.Bytes)];
    }

    private static List<MemrayMemoryPoint>? Timeline(JsonElement part)
    {
        List<MemrayMemoryPoint> points = [];
        foreach (JsonElement point in part.Items("timeline", MostPoints))
        {
            if (Numbers(point, -MostSeconds) is not [double seconds, double resident, double heap]
                || seconds > MostSeconds
                || resident < 0
                || heap < 0)
            {
                return null;
            }

            points.Add(new MemrayMemoryPoint
            {
                // memray's clock for the first point may be a moment behind that of its beginning.
                Seconds = Math.Max(0, seconds),
                ResidentBytes = (long)resident,
                HeapBytes = (long)heap,
            });
        }

        return points;
    }

    private static List<MemrayAllocatorCount> Allocators(JsonElement part)
    {
        JsonElement allocators = Json.Part(part, "allocators");
        List<MemrayAllocatorCount> counts = [];
        if (allocators.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in allocators.EnumerateObject().Take(MostAllocators))
            {
                if (Json.Name(property) is string name && Amount(allocators, name) is long count)
                {
                    counts.Add(new MemrayAllocatorCount { Allocator = SafeText.Line(name, 100), Count = count });
                }
            }
        }

        return [.. counts.OrderByDescending(c => c.Count)];
    }

    private static List<MemraySizeClass> Sizes(JsonElement part)
    {
        List<MemraySizeClass> sizes = [];
        foreach (JsonElement item in part.Items("sizes", MostSizes))
        {
            if (Numbers(item, 0) is [double low, double high, double count])
            {
                sizes.Add(new MemraySizeClass
                {
                    MinimumBytes = (long)low,
                    MaximumBytes = (long)high,
                    Count = (long)count,
                });
            }
        }

        return sizes;
    }

    /// <summary>The numbers of a short list; null where it is none, or a number is out of bounds.</summary>
    private static double[]? Numbers(JsonElement list, double least)
    {
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > 3)
        {
            return null;
        }

        List<double> numbers = [];
        foreach (JsonElement element in list.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Number
                || !element.TryGetDouble(out double number)
                || !(number >= least && number <= MostBytes))
            {
                return null;
            }

            numbers.Add(number);
        }

        return [.. numbers];
    }

    private static long? Amount(JsonElement item, string name)
        => item.Long(name) is long number and >= 0 and <= MostBytes ? number : null;

    private static double? Seconds(JsonElement item, string name)
        => item.Number(name) is double number && number is >= 0 and < MostSeconds ? number : null;
}
