using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using PyDebug.Heap;
using PyDebug.Internal;

namespace PyDebug.Watch;

/// <summary>Makes records of what the agent says of processes that it watches; one parser for each pod.</summary>
internal sealed class SampleParser
{
    private const int MostNotes = 8;

    private const int MostPoints = 60;

    private const int MostProcesses = 4096;

    private readonly Dictionary<int, (DateTime? Started, Queue<(double Seconds, double Bytes)> Points)> _points = [];

    private double _clock;

    private int _round;

    /// <summary>A sample, or the end of a process as a gap; null where it is neither.</summary>
    public PyProcessSample? Parse(JsonElement item, PodDebugSession session, DateTime now)
    {
        if (item.Integer("pid") is not int pid || pid <= 0)
        {
            return null;
        }

        PyProcessSample record = new()
        {
            Namespace = session.Namespace,
            PodName = session.PodName,
            ContainerName = session.ContainerName,
            NodeName = session.NodeName,
            ProcessId = pid,
            Timestamp = now,
            Name = item.Text("name") ?? "",
            StartTime = item.Time("started"),
            DebugContainer = session.DebugContainer,
            PodUid = session.PodUid,
            Session = session,
        };
        switch (item.Text("kind"))
        {
            case "ended":
                _points.Remove(pid);
                return record with { Gap = "the process ended" };
            case "sample" when item.Number("seconds") is double seconds and > 0:
                return Fill(record, item, seconds);
            default:
                return null;
        }
    }

    /// <summary>Forgets what was seen before: after a gap nothing of it is known to go on.</summary>
    public void Forget()
    {
        _points.Clear();
        _round = 0;
    }

    private PyProcessSample Fill(PyProcessSample record, JsonElement item, double seconds)
    {
        double? cpu = Positive(item.Number("cpu"));
        long? used = NotNegative(item.Long("memory"));
        long? limit = NotNegative(item.Long("memoryLimit"));
        JsonElement pressure = item.Part("pressure");
        JsonElement loop = item.Part("loop");
        Advance(item, seconds);
        IReadOnlyList<(double, double)> points = used is long bytes ? Points(record, bytes) : [];
        return record with
        {
            State = item.Text("state") switch
            {
                "R" => "running",
                "S" => "sleeping",
                "D" => "blocked",
                "T" or "t" => "stopped",
                string other => other,
                null => null,
            },
            IntervalSeconds = Math.Round(seconds, 3),
            CpuPercent = Percent(cpu, seconds),
            CpuLimitPercent = Positive(item.Number("quota")) is double quota ? Percent(cpu, seconds * quota) : null,
            ThrottledPercent = Share(item, "throttled"),
            RunQueuePercent = Percent(Positive(item.Number("wait")), seconds),
            ResidentBytes = NotNegative(item.Long("rss")),
            ContainerBytes = used,
            ContainerLimitBytes = limit,
            ContainerPercent = limit is long most ? Percent(used, most) : null,
            ContainerBytesPerSecond = MemoryForecast.Rate(points) is MemoryRate rate
                ? Math.Round(rate.BytesPerSecond, 1)
                : null,
            SecondsToLimit = MemoryForecast.SecondsToLimit(points, limit),
            ThreadCount = item.Integer("threads"),
            OpenFileCount = item.Integer("files"),
            OpenFileLimit = item.Long("filesLimit"),
            ChildCount = item.Integer("children"),
            MinorFaults = NotNegative(item.Long("minor")),
            MajorFaults = NotNegative(item.Long("major")),
            CpuPressurePercent = Share(pressure, "cpu"),
            MemoryPressurePercent = Share(pressure, "memory"),
            IoPressurePercent = Share(pressure, "io"),
            LookCount = item.Integer("looks") ?? 0,
            GilWaitPercent = Share(item, "gil"),
            LoopThreadId = loop.Integer("tid"),
            LoopAwayPercent = Share(loop, "away"),
            LoopAwaySeconds = Positive(loop.Number("longest")) is double longest ? Math.Round(longest, 3) : null,
            TaskCount = item.Integer("tasks"),
            Notes = item.Texts("notes", MostNotes),
        };
    }

    /// <summary>All processes of one round are read at about the same time.</summary>
    private void Advance(JsonElement item, double seconds)
    {
        int round = item.Integer("round") ?? 0;
        if (round != _round)
        {
            _round = round;
            _clock += seconds;
        }
    }

    private IReadOnlyList<(double Seconds, double Bytes)> Points(PyProcessSample record, long bytes)
    {
        if (!_points.TryGetValue(record.ProcessId, out (DateTime? Started, Queue<(double, double)> Points) kept)
            || kept.Started != record.StartTime)
        {
            if (_points.Count >= MostProcesses)
            {
                return [];
            }

            kept = (record.StartTime, new());
            _points[record.ProcessId] = kept;
        }

        kept.Points.Enqueue((_clock, bytes));
        if (kept.Points.Count > MostPoints)
        {
            kept.Points.Dequeue();
        }

        return [.. kept.Points];
    }

    private static double? Percent(double? part, double whole)
        => part is double value && whole > 0 ? Math.Round(100 * value / whole, 1) : null;

    private static double? Share(JsonElement item, string name)
        => item.Number(name) is double share and >= 0 and <= 1 ? Math.Round(100 * share, 1) : null;

    private static double? Positive(double? value) => value is double number and >= 0 and < 1e12 ? number : null;

    private static long? NotNegative(long? value) => value is long number and >= 0 ? number : null;
}
