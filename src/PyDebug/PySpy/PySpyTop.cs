using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Tools.PySpy;

/// <summary>Sums the intervals of a top up by function.</summary>
internal sealed class PySpyTop
{
    private const int MostRows = 20;

    private readonly Dictionary<(int Process, string Name, string File), (double Own, double Total)> _sums = [];

    /// <summary>Adds an interval and returns its busiest functions, the busiest first.</summary>
    public IReadOnlyList<PyTopSample> Add(StackProfile profile, PySpyResult result)
    {
        Dictionary<(string Name, string File), Part> parts = [];
        foreach (StackSample sample in profile.Samples)
        {
            HashSet<Part> counted = [];
            for (int i = 0; i < sample.Frames.Count; i++)
            {
                StackFrame frame = sample.Frames[i];
                if (!parts.TryGetValue((frame.Name, frame.FileName), out Part? part))
                {
                    part = new Part();
                    parts.Add((frame.Name, frame.FileName), part);
                }

                part.Lines[frame.Line ?? 0] = part.Lines.GetValueOrDefault(frame.Line ?? 0) + sample.Value;
                part.Own += i == 0 ? sample.Value : 0;

                // A function that calls itself is in the sample once.
                part.Total += counted.Add(part) ? sample.Value : 0;
            }
        }

        double seconds = Math.Max(result.Seconds, 0.001);
        List<PyTopSample> rows = [];
        foreach (((string name, string file), Part part) in parts)
        {
            (double own, double total) = _sums.GetValueOrDefault((result.ProcessId, name, file));
            (double Own, double Total) sum = (own + part.Own, total + part.Total);
            _sums[(result.ProcessId, name, file)] = sum;
            int line = part.Lines.MaxBy(l => l.Value).Key;
            rows.Add(new PyTopSample
            {
                Namespace = profile.Namespace,
                PodName = profile.PodName,
                ContainerName = profile.ContainerName,
                NodeName = profile.NodeName,
                ProcessId = result.ProcessId,
                Timestamp = profile.Timestamp ?? DateTime.UtcNow,
                Interval = result.Sequence + 1,
                IntervalSeconds = result.Seconds,
                Name = name,
                FileName = file,
                Line = line > 0 ? line : null,
                OwnPercent = Math.Round(100 * part.Own / seconds, 1),
                TotalPercent = Math.Round(100 * part.Total / seconds, 1),
                OwnSeconds = Math.Round(sum.Own, 3),
                TotalSeconds = Math.Round(sum.Total, 3),
            });
        }

        return
        [
            .. rows.OrderByDescending(r => r.OwnPercent)
                .ThenByDescending(r => r.TotalPercent)
                .ThenBy(r => r.Name, StringComparer.Ordinal)
                .Take(MostRows),
        ];
    }

    private sealed class Part
    {
        public double Own { get; set; }

        public double Total { get; set; }

        public Dictionary<int, double> Lines { get; } = [];
    }
}
