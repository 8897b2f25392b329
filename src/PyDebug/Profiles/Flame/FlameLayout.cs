using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Profiles.Flame;

/// <summary>
/// Where each box of a picture lies. Boxes come in the order of a walk through the tree, a parent before its children
/// and the widest child first. Frames below a width are drawn as one box, so that the picture stays small however
/// many stacks there are.
/// </summary>
internal sealed class FlameLayout
{
    private const double NarrowestShare = 0.0002;

    private const int DeepestRow = 2000;

    private readonly FlameStacks _stacks;

    private readonly double _narrowest;

    private FlameLayout(FlameStacks stacks, double narrowest, string rootName)
    {
        _stacks = stacks;
        _narrowest = narrowest;
        Total = stacks.Values.Sum();
        Walk(rootName);
        Rows = Nodes.Max(n => n.Depth) + 1;
    }

    /// <summary>The boxes.</summary>
    public List<FlameNode> Nodes { get; } = [];

    /// <summary>The sum of all stacks.</summary>
    public double Total { get; }

    /// <summary>The number of rows.</summary>
    public int Rows { get; }

    /// <summary>How many frames are not drawn one by one, each with what it called.</summary>
    public int HiddenFrames { get; private set; }

    /// <summary>The sum of what is not drawn one by one.</summary>
    public double Hidden { get; private set; }

    /// <summary>Lays stacks out.</summary>
    /// <param name="stacks">The stacks.</param>
    /// <param name="rootName">The text of the box that holds all of them.</param>
    /// <param name="mostNodes">How many boxes the picture may have, about.</param>
    public static FlameLayout Of(FlameStacks stacks, string rootName, int mostNodes)
    {
        double total = stacks.Values.Sum();
        for (double share = NarrowestShare; ; share *= 1.5)
        {
            FlameLayout layout = new(stacks, share * total, rootName);
            if (layout.Nodes.Count <= mostNodes || share > 0.05)
            {
                return layout;
            }
        }
    }

    private void Walk(string rootName)
    {
        // An explicit stack: a hostile profile may be deeper than this thread's own.
        Stack<(FlameFrame Frame, int From, int To, int Depth, double Start, double Value)> open = new();
        open.Push((FlameFrame.Group(rootName, ""), 0, _stacks.Paths.Length, 0, 0, Total));
        List<(int From, int To, double Value)> children = [];
        while (open.TryPop(out (FlameFrame Frame, int From, int To, int Depth, double Start, double Value) box))
        {
            children.Clear();
            (double self, long count) = Split(box.From, box.To, box.Depth, children);
            Nodes.Add(new FlameNode(box.Frame, box.Depth, box.Start, box.Value, self, count));
            if (box.Depth + 1 < DeepestRow)
            {
                Place(box.Depth, box.Start, children, open);
            }
            else
            {
                Hide(children.Count, children.Sum(c => c.Value));
            }
        }
    }

    /// <summary>Splits rows by their frame at a depth. Rows that end there are the box's own.</summary>
    private (double Self, long Count) Split(
        int from, int to, int depth, List<(int From, int To, double Value)> children)
    {
        double self = 0;
        long count = 0;
        int start = -1;
        double value = 0;
        for (int row = from; row < to; row++)
        {
            int[] path = _stacks.Paths[row];
            count += _stacks.Counts[row];
            if (path.Length == depth)
            {
                self += _stacks.Values[row];
                continue;
            }

            if (start >= 0 && _stacks.Paths[start][depth] != path[depth])
            {
                children.Add((start, row, value));
                start = -1;
            }

            if (start < 0)
            {
                start = row;
                value = 0;
            }

            value += _stacks.Values[row];
        }

        if (start >= 0)
        {
            children.Add((start, to, value));
        }

        return (self, count);
    }

    private void Place(
        int depth,
        double start,
        List<(int From, int To, double Value)> children,
        Stack<(FlameFrame Frame, int From, int To, int Depth, double Start, double Value)> open)
    {
        FlameFrame FrameOf((int From, int To, double Value) child) => _stacks.Frame(_stacks.Paths[child.From][depth]);

        List<(int From, int To, double Value)> wide = [.. children
            .Where(c => c.Value >= _narrowest)
            .OrderByDescending(c => c.Value)
            .ThenBy(c => FrameOf(c).Name, StringComparer.Ordinal)
            .ThenBy(c => FrameOf(c).Detail, StringComparer.Ordinal)];
        int narrow = children.Count - wide.Count;
        double end = start + wide.Sum(c => c.Value);
        if (narrow > 0)
        {
            double value = children.Where(c => c.Value < _narrowest).Sum(c => c.Value);
            Hide(narrow, value);
            if (value >= _narrowest)
            {
                // An empty range of rows: the box has no children and no stacks of its own.
                open.Push((FlameFrame.Others(narrow), 0, 0, depth + 1, end, value));
            }
        }

        for (int i = wide.Count - 1; i >= 0; i--)
        {
            end -= wide[i].Value;
            open.Push((FrameOf(wide[i]), wide[i].From, wide[i].To, depth + 1, Math.Max(end, start), wide[i].Value));
        }
    }

    private void Hide(int frames, double value)
    {
        HiddenFrames += frames;
        Hidden += value;
    }
}
