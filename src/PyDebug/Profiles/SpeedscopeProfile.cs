using System.Collections.Generic;
using System.Globalization;
using System.IO;

namespace PyDebug.Profiles;

/// <summary>
/// One profile of a speedscope file, of either kind: sampled, or of frames that are entered and left.
/// </summary>
/// <param name="number">Its number in the file, from 0.</param>
internal sealed class SpeedscopeProfile(int number)
{
    /// <summary>The list of counts beside the samples, which other readers pass over.</summary>
    public const string CountsName = "pydebug:counts";

    /// <summary>The list of states beside the samples, which other readers pass over.</summary>
    public const string StatesName = "pydebug:states";

    /// <summary>The process that the thread belongs to, in a file of ours.</summary>
    public const string ProcessName = "pydebug:processId";

    /// <summary>Whether it is the process's main thread, in a file of ours.</summary>
    public const string MainName = "pydebug:isMainThread";

    /// <summary>The greatest weight or time that is taken for one.</summary>
    public const double Most = 9.3e18;

    private readonly HashSet<string> _lists = [];

    public string? Type { get; set; }

    public string Name { get; set; } = "";

    public string? Unit { get; set; }

    public double? Start { get; set; }

    public double? End { get; set; }

    /// <summary>The description of ours that belongs to it; null where there is none.</summary>
    public int? About { get; set; }

    /// <summary>The thread's process, where a file of ours says it.</summary>
    public int? ProcessId { get; set; }

    /// <summary>Whether it is the main thread, where a file of ours says it.</summary>
    public bool? IsMainThread { get; set; }

    public List<int> Stacks { get; } = [];

    public List<double> Weights { get; } = [];

    public List<long> Counts { get; } = [];

    public List<string?> States { get; } = [];

    public List<SpeedscopeEvent> Events { get; } = [];

    /// <summary>Takes note that a list begins, once more where one of that name was there already.</summary>
    public void Begin(string list)
    {
        switch (list)
        {
            case "samples":
                Stacks.Clear();
                break;
            case "weights":
                Weights.Clear();
                break;
            case "events":
                Events.Clear();
                break;
            case CountsName:
                Counts.Clear();
                break;
            case StatesName:
                States.Clear();
                break;
        }

        _lists.Add(list);
    }

    /// <summary>The failure of a profile that contradicts itself.</summary>
    public InvalidDataException Damaged(System.FormattableString what)
    {
        string name = Name.Length == 0 ? "" : $" '{Name}'";
        return new InvalidDataException(
            string.Create(CultureInfo.InvariantCulture,
                $"Profile {number}{name}: {what.ToString(CultureInfo.InvariantCulture)}."));
    }

    /// <summary>Its samples. Samples and events are counted from 0, as the file's lists are.</summary>
    /// <exception cref="InvalidDataException">The profile contradicts itself.</exception>
    public IEnumerable<SpeedscopeSample> Samples(SpeedscopeFile file) => Type switch
    {
        "sampled" => Sampled(file),
        "evented" => Evented(file),
        null => throw Damaged($"it has no type"),
        _ => throw Damaged($"type '{Type}' is not known"),
    };

    private IEnumerable<SpeedscopeSample> Sampled(SpeedscopeFile file)
    {
        foreach (string list in new[] { "samples", "weights" })
        {
            if (!_lists.Contains(list))
            {
                throw Damaged($"it has no '{list}'");
            }
        }

        if (Stacks.Count != Weights.Count)
        {
            throw Damaged($"it has {Stacks.Count} samples and {Weights.Count} weights");
        }

        bool counted = Counts.Count == Stacks.Count;
        bool explained = States.Count == Stacks.Count;
        for (int i = 0; i < Stacks.Count; i++)
        {
            SampleState state = explained ? SampleState.Parse(States[i]) : default;
            // The last frame of a sample with a state stands for it.
            int stack = state != default && file.Stacks.Depth(Stacks[i]) > 0 ? file.Stacks.Outer(Stacks[i]) : Stacks[i];
            yield return new SpeedscopeSample(stack, Weights[i], counted ? Counts[i] : 1, state);
        }
    }

    private IEnumerable<SpeedscopeSample> Evented(SpeedscopeFile file)
    {
        if (!_lists.Contains("events"))
        {
            throw Damaged($"it has no 'events'");
        }

        if (End < Start)
        {
            throw Damaged($"it ends at {End:R}, before it begins at {Start:R}");
        }

        // Where and when each open frame was opened, for what is said of one that stays open.
        Stack<int> opened = new();
        int open = StackPool.Empty;
        double last = Start ?? (Events.Count > 0 ? Events[0].At : 0);
        for (int i = 0; i < Events.Count; i++)
        {
            (bool isOpen, int frame, double at) = Events[i];
            if (at < last)
            {
                throw Damaged(
                    $"event {i} at {at:R} lies before {(i == 0 ? "its start" : "the event before it")} at {last:R}");
            }

            if (at > End)
            {
                throw Damaged($"event {i} at {at:R} lies behind its end at {End:R}");
            }

            if (at > last)
            {
                yield return new SpeedscopeSample(open, at - last, 1, default);
                last = at;
            }

            if (isOpen)
            {
                open = file.Stacks.Inner(open, frame);
                opened.Push(i);
            }
            else if (open == StackPool.Empty)
            {
                throw Damaged($"event {i} at {at:R} closes '{file.Frames[frame].Name}', and no frame is open");
            }
            else if (file.Stacks.Innermost(open) != frame)
            {
                string innermost = file.Frames[file.Stacks.Innermost(open)].Name;
                string closed = file.Frames[frame].Name;
                throw Damaged(
                    $"event {i} at {at:R} closes '{closed}' while '{innermost}' is the innermost open frame");
            }
            else
            {
                open = file.Stacks.Outer(open);
                opened.Pop();
            }
        }

        if (open != StackPool.Empty)
        {
            int event_ = opened.Peek();
            string name = file.Frames[Events[event_].Frame].Name;
            throw Damaged($"'{name}', opened by event {event_} at {Events[event_].At:R}, is never closed");
        }

        if (End is double end && end > last)
        {
            yield return new SpeedscopeSample(open, end - last, 1, default);
        }
    }
}
