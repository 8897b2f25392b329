using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using PyDebug.Internal;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// The Python stacks that a program met, by the numbers that stand for them in its maps. Each frame comes with its own
/// number and with that of the frame called by it; the number of the outermost one stands for the whole stack.
/// </summary>
internal sealed class BpftraceStacks
{
    /// <summary>What is written for the stack of a thread that runs no Python.</summary>
    public const string None = "(no Python)";

    // Below are the numbers of processes, with which stacks begin.
    private const ulong LargestProcess = 1UL << 32;

    private const int MostFramesAtOnce = 100_000;

    /// <summary>The agent keeps no more either.</summary>
    private const int MostFrames = 500_000;

    private static readonly StackFrame s_unresolved = new() { Name = "<unresolved>" };

    private readonly Dictionary<ulong, (ulong Inner, StackFrame? Frame)> _frames = [];

    private readonly Dictionary<ulong, BpftraceStack> _stacks = [];

    /// <summary>Takes frames as the agent sends them: number, the inner one's, name, file and line.</summary>
    /// <returns>Whether they could be read.</returns>
    public bool Add(JsonElement item)
    {
        foreach (JsonElement frame in item.Items("frames", MostFramesAtOnce))
        {
            if (frame.ValueKind != JsonValueKind.Array
                || frame.GetArrayLength() is not (2 or 5)
                || frame[0].ValueKind != JsonValueKind.Number
                || frame[1].ValueKind != JsonValueKind.Number
                || !frame[0].TryGetUInt64(out ulong number)
                || !frame[1].TryGetUInt64(out ulong inner))
            {
                return false;
            }

            if (_frames.Count >= MostFrames && !_frames.ContainsKey(number))
            {
                throw new LimitExceededException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The debug container sent more than the {MostFrames:#,0} Python frames that are kept."));
            }

            _frames.TryAdd(number, (inner, frame.GetArrayLength() == 5 ? Frame(frame) : null));
        }

        return true;
    }

    /// <summary>The stack that a number stands for; null where the text is no number.</summary>
    public BpftraceStack? Find(string text)
    {
        // Some versions print unsigned numbers as signed ones.
        if (!ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number))
        {
            if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long signed))
            {
                return null;
            }

            number = unchecked((ulong)signed);
        }

        if (!_stacks.TryGetValue(number, out BpftraceStack? stack))
        {
            stack = Read(number);
            _stacks.Add(number, stack);
        }

        return stack;
    }

    private BpftraceStack Read(ulong number)
    {
        List<StackFrame> frames = [];
        while (number >= LargestProcess && frames.Count < FrameParser.MostFrames)
        {
            if (!_frames.TryGetValue(number, out (ulong Inner, StackFrame? Frame) found))
            {
                frames.Add(s_unresolved);
                number = 0;
                break;
            }

            if (found.Frame is not null)
            {
                frames.Add(found.Frame);
            }

            number = found.Inner;
        }

        frames.Reverse();
        return new BpftraceStack(number is > 0 and <= int.MaxValue ? (int)number : null, frames);
    }

    private static StackFrame Frame(JsonElement frame)
    {
        int? line = Json.Integer(frame[4]);
        return new StackFrame
        {
            Name = Json.String(frame[2]) ?? "",
            FileName = Json.String(frame[3]) ?? "",
            Line = line > 0 ? line : null,
        };
    }
}
