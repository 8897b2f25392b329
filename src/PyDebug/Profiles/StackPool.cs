using System;
using System.Collections.Generic;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>
/// Numbers stacks by their content, each as the stack that it grew from and one frame more: a stack of any depth takes
/// a step to find from the one around it, and is written out only when it is asked for.
/// </summary>
internal sealed class StackPool
{
    /// <summary>The number of the stack without frames.</summary>
    public const int Empty = 0;

    /// <summary>The most frames of a stack.</summary>
    public const int Deepest = 100_000;

    private const int MostStacks = 4_000_000;

    private readonly List<(int Parent, int Frame, int Depth)> _stacks = [(-1, -1, 0)];

    private readonly Dictionary<(int Parent, int Frame), int> _numbers = [];

    /// <summary>How deep a stack is.</summary>
    public int Depth(int stack) => _stacks[stack].Depth;

    /// <summary>The innermost frame of a stack that has one.</summary>
    public int Innermost(int stack) => _stacks[stack].Frame;

    /// <summary>The stack without its innermost frame.</summary>
    public int Outer(int stack) => _stacks[stack].Parent;

    /// <summary>The stack that has one frame more.</summary>
    /// <exception cref="LimitExceededException">It is too deep, or there are too many.</exception>
    public int Inner(int stack, int frame)
    {
        if (_numbers.TryGetValue((stack, frame), out int number))
        {
            return number;
        }

        int depth = _stacks[stack].Depth + 1;
        if (depth > Deepest)
        {
            throw new LimitExceededException($"A stack has more than {Deepest:#,0} frames.");
        }

        if (_stacks.Count >= MostStacks)
        {
            throw new LimitExceededException($"It has more than {MostStacks:#,0} different stacks.");
        }

        number = _stacks.Count;
        _stacks.Add((stack, frame, depth));
        _numbers.Add((stack, frame), number);
        return number;
    }

    /// <summary>A stack's frames, outermost first.</summary>
    public int[] Frames(int stack)
    {
        int[] frames = new int[_stacks[stack].Depth];
        for (int i = frames.Length - 1; i >= 0; i--)
        {
            frames[i] = _stacks[stack].Frame;
            stack = _stacks[stack].Parent;
        }

        return frames;
    }

    /// <summary>The highest number of a frame that is in any stack; -1 where there is none.</summary>
    public int HighestFrame()
    {
        int highest = -1;
        foreach ((int _, int frame, int _) in _stacks)
        {
            highest = Math.Max(highest, frame);
        }

        return highest;
    }
}
