using System;
using System.Collections.Generic;
using System.Linq;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>Sums samples of one process up to a profile: by thread and stack, and in the order they came.</summary>
/// <param name="frames">The frames that stacks refer to by number.</param>
internal sealed class ProfileBuilder(IReadOnlyList<StackFrame> frames)
{
    private const int LargestId = 1 << 22;

    private readonly List<ThreadPart> _threads = [];

    private readonly Dictionary<(long?, string?), int> _threadNumbers = [];

    /// <summary>The number under which a thread's samples are added.</summary>
    /// <param name="id">The thread's id.</param>
    /// <param name="name">The thread's name.</param>
    /// <param name="told">
    /// What is told of it: its process, and whether it is the main thread. Otherwise its process is the profile's, and
    /// its id tells the main thread.
    /// </param>
    public int Thread(long? id, string? name, (int? ProcessId, bool? IsMain)? told = null)
    {
        if (!_threadNumbers.TryGetValue((id, name), out int number))
        {
            number = _threads.Count;
            _threads.Add(new ThreadPart(id, name, told));
            _threadNumbers.Add((id, name), number);
        }

        return number;
    }

    /// <summary>Adds a sample.</summary>
    /// <param name="thread">The thread's number.</param>
    /// <param name="stack">The frames' numbers, outermost first. The array is kept.</param>
    /// <param name="value">The sample's value, in the profile's unit.</param>
    /// <param name="count">How many samples this stands for.</param>
    /// <param name="state">How the time was spent, where that is known.</param>
    public void Add(int thread, int[] stack, double value, long count = 1, SampleState state = default)
        => Add(thread, Stack(thread, stack, state), value, count);

    /// <summary>The number under which samples of a thread's stack are added.</summary>
    /// <param name="thread">The thread's number.</param>
    /// <param name="stack">The frames' numbers, outermost first. The array is kept.</param>
    /// <param name="state">How the time was spent, where that is known.</param>
    public int Stack(int thread, int[] stack, SampleState state) => _threads[thread].Stack(stack, state);

    /// <summary>Adds a sample of a stack that has a number.</summary>
    /// <param name="thread">The thread's number.</param>
    /// <param name="stack">The stack's number.</param>
    /// <param name="value">The sample's value, in the profile's unit.</param>
    /// <param name="count">How many samples this stands for.</param>
    public void Add(int thread, int stack, double value, long count) => _threads[thread].Add(stack, value, count);

    /// <summary>The profile, with everything else taken from another one.</summary>
    public StackProfile Build(StackProfile about)
    {
        List<(StackSample Sample, int Thread, int Stack)> samples = [];
        for (int t = 0; t < _threads.Count; t++)
        {
            ThreadPart thread = _threads[t];
            for (int s = 0; s < thread.Stacks.Count; s++)
            {
                Sum sum = thread.Stacks[s];
                StackSample sample = new()
                {
                    ThreadId = thread.Id,
                    Thread = thread.Name,
                    Value = Round(sum.Value),
                    Count = sum.Count,
                    Reason = sum.State.Reason,
                    Call = sum.State.Call,
                    Frames = Frames(sum.Stack),
                };
                samples.Add((sample, t, s));
            }
        }

        samples = [.. samples.OrderByDescending(s => s.Sample.Value)];
        int[][] places = [.. _threads.Select(t => new int[t.Stacks.Count])];
        for (int i = 0; i < samples.Count; i++)
        {
            places[samples[i].Thread][samples[i].Stack] = i;
        }

        return about with
        {
            SampleCount = Counts.Sum(samples.Select(s => s.Sample.Count)),
            Samples = [.. samples.Select(s => s.Sample)],
            Threads = [.. _threads
                .Select(t => new ProfileThread
                {
                    ProcessId = t.Told is null ? about.ProcessId : t.Told.Value.ProcessId,
                    ThreadId = t.Id,
                    Name = t.Name,
                    IsMainThread = t.Told is null ? IsMain(about.ProcessId, t.Id) : t.Told.Value.IsMain,
                    Value = Round(t.Stacks.Sum(s => s.Value)),
                    SampleCount = Counts.Sum(t.Stacks.Select(s => s.Count)),
                })
                .OrderByDescending(t => t.Value)],
            Timeline = [.. _threads.SelectMany((t, n) => t.Runs.Select(
                r => r with { Sample = places[n][r.Sample], Value = Round(r.Value) }))],
        };
    }

    /// <summary>On Linux the main thread has the process's own id. What is too large for one is an address.</summary>
    private static bool? IsMain(int? process, long? thread)
        => process is int p && thread is long id && id is > 0 and <= LargestId ? id == p : null;

    /// <summary>Takes away what adding up binary fractions leaves behind.</summary>
    private static double Round(double value) => Math.Abs(value) < 1e6 ? Math.Round(value, 9) : value;

    private StackFrame[] Frames(int[] stack)
    {
        StackFrame[] result = new StackFrame[stack.Length];
        for (int i = 0; i < stack.Length; i++)
        {
            result[stack.Length - 1 - i] = frames[stack[i]];
        }

        return result;
    }

    private sealed class Sum(int[] stack, SampleState state)
    {
        public int[] Stack { get; } = stack;

        public SampleState State { get; } = state;

        public double Value { get; set; }

        public long Count { get; set; }
    }

    private sealed class ThreadPart(long? id, string? name, (int? ProcessId, bool? IsMain)? told)
    {
        private readonly Dictionary<SampleState, Dictionary<int[], int>> _numbers = [];

        public long? Id { get; } = id;

        public string? Name { get; } = name;

        public (int? ProcessId, bool? IsMain)? Told { get; } = told;

        public List<Sum> Stacks { get; } = [];

        public List<SampleRun> Runs { get; } = [];

        public int Stack(int[] stack, SampleState state)
        {
            if (!_numbers.TryGetValue(state, out Dictionary<int[], int>? numbers))
            {
                numbers = new Dictionary<int[], int>(StackComparer.Instance);
                _numbers.Add(state, numbers);
            }

            if (!numbers.TryGetValue(stack, out int number))
            {
                number = Stacks.Count;
                Stacks.Add(new Sum(stack, state));
                numbers.Add(stack, number);
            }

            return number;
        }

        public void Add(int number, double value, long count)
        {
            Stacks[number].Value += value;
            Stacks[number].Count = Counts.Add(Stacks[number].Count, count);
            if (Runs.Count > 0 && Runs[^1].Sample == number)
            {
                SampleRun last = Runs[^1];
                Runs[^1] = last with { Value = last.Value + value, Count = Counts.Add(last.Count, count) };
            }
            else
            {
                Runs.Add(new SampleRun(number, value, count));
            }
        }
    }
}
