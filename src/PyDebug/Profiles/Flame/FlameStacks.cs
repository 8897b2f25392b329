using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using PyDebug.Internal;

namespace PyDebug.Profiles.Flame;

/// <summary>
/// The stacks of profiles as rows of frame numbers, sorted so that rows which begin alike lie together. A picture of
/// any width is laid out from that without a tree of all frames in memory.
/// </summary>
internal sealed class FlameStacks
{
    private readonly List<FlameFrame> _frames = [];

    private readonly Dictionary<object, int> _numbers = [];

    private FlameStacks(IReadOnlyList<StackProfile> profiles, bool byThread)
    {
        List<(int[] Path, double Value, long Count)> rows = [];
        foreach (StackProfile profile in profiles)
        {
            int? process = profiles.Count > 1 ? Process(profile) : null;
            foreach (StackSample sample in profile.Samples)
            {
                rows.Add(
                    (Path(sample, process, byThread ? Thread(profile, sample) : null), sample.Value, sample.Count));
            }
        }

        rows.Sort(static (x, y) => x.Path.AsSpan().SequenceCompareTo(y.Path));
        Paths = [.. rows.Select(r => r.Path)];
        Values = [.. rows.Select(r => r.Value)];
        Counts = [.. rows.Select(r => r.Count)];
    }

    /// <summary>The frames' numbers of each row, outermost first.</summary>
    public int[][] Paths { get; }

    /// <summary>The rows' values.</summary>
    public double[] Values { get; }

    /// <summary>How many samples each row stands for.</summary>
    public long[] Counts { get; }

    /// <summary>The frame of a number.</summary>
    public FlameFrame Frame(int number) => _frames[number];

    /// <summary>
    /// Gathers the stacks of profiles. Several profiles get a frame for each process around their stacks.
    /// </summary>
    public static FlameStacks Gather(IReadOnlyList<StackProfile> profiles, bool byThread) => new(profiles, byThread);

    private int[] Path(StackSample sample, int? process, int? thread)
    {
        SampleState state = SampleState.Of(sample);
        if (sample.Frames.Count == 0 && state == default && thread is null)
        {
            // Nothing would be drawn of it, and its time is there.
            int none = Number(
                CollapsedWriter.NoFrames, static n => FlameFrame.Group((string)n, "machine code, or not known"));
            return process is int own ? [own, none] : [none];
        }

        int others = (process is null ? 0 : 1) + (thread is null ? 0 : 1) + (state == default ? 0 : 1);
        int[] path = new int[others + sample.Frames.Count];
        int next = 0;
        if (process is int p)
        {
            path[next++] = p;
        }

        if (thread is int t)
        {
            path[next++] = t;
        }

        for (int i = sample.Frames.Count - 1; i >= 0; i--)
        {
            path[next++] = Number(sample.Frames[i], static f => FlameFrame.Of((StackFrame)f));
        }

        if (state != default)
        {
            path[next] = Number(state, static s => FlameFrame.End((SampleState)s));
        }

        return path;
    }

    private int Process(StackProfile profile)
        => Number(
            (profile.Namespace, profile.PodName, profile.ContainerName, profile.ProcessId, profile.CommandLine),
            _ => FlameFrame.Group(
                profile.CommandLine is null
                    ? ProfileText.Where(profile)
                    : string.Create(
                        CultureInfo.InvariantCulture, $"process {profile.ProcessId}: {profile.CommandLine}"),
                ProfileText.Where(profile)));

    private int Thread(StackProfile profile, StackSample sample)
        => Number(
            (profile, sample.ThreadId, sample.Thread),
            _ => FlameFrame.Group(ThreadText.One(sample.ThreadId, sample.Thread), ""));

    private int Number(object key, Func<object, FlameFrame> make)
    {
        if (!_numbers.TryGetValue(key, out int number))
        {
            number = _frames.Count;
            _frames.Add(make(key));
            _numbers.Add(key, number);
        }

        return number;
    }
}
