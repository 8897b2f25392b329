using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.RegularExpressions;
using PyDebug.Internal;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// Takes a key apart. bpftrace prints its parts joined by commas, whatever is in them; how many there are and what
/// they can be stands in the program.
/// </summary>
internal static partial class BpftraceKey
{
    private const int MostSplits = 4096;

    private enum Part
    {
        Any,
        Number,
        Stack,
        PythonStack,
    }

    /// <summary>The parts of a key.</summary>
    /// <param name="text">The key as bpftrace printed it.</param>
    /// <param name="expressions">The expressions in the brackets; null where the program does not show them.</param>
    /// <param name="stacks">The Python stacks that are known.</param>
    public static (IReadOnlyList<object> Keys, IReadOnlyList<StackFrame> Frames, int? ProcessId) Parse(
        string text,
        IReadOnlyList<string>? expressions,
        BpftraceStacks? stacks = null)
    {
        int? process = null;
        IReadOnlyList<Part> parts = expressions is null ? [Part.Any] : [.. expressions.Select(KindOf)];
        List<StackFrame> frames = [];
        List<object> keys = [];
        IReadOnlyList<string> texts = Split(text, parts);
        for (int i = 0; i < texts.Count; i++)
        {
            // What could not be taken apart may be anything.
            Part part = texts.Count == parts.Count ? parts[i] : Part.Any;
            if (part == Part.PythonStack && stacks?.Find(texts[i]) is BpftraceStack stack)
            {
                frames.AddRange(stack.Frames);
                keys.Add(stack.Frames.Count == 0 ? BpftraceStacks.None : FrameText.Joined(stack.Frames));
                process = stack.ProcessId ?? process;
            }
            else if (part == Part.Stack || (part == Part.Any && IsStack(texts[i])))
            {
                IReadOnlyList<StackFrame> own = NativeStack.Read(texts[i]);
                frames.AddRange(own);
                keys.Add(FrameText.Joined(own));
            }
            else
            {
                keys.Add(Value(texts[i], expressions is not null && texts.Count == parts.Count ? expressions[i] : ""));
            }
        }

        return (keys, frames, process);
    }

    /// <summary>A number as a number, everything else as text that is safe to show.</summary>
    public static object Value(string text, string expression)
    {
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number))
        {
            // Some versions print unsigned numbers as signed ones; the program's own words say that it is none.
            return number < 0 && expression.StartsWith("(uint64)", StringComparison.Ordinal) ? (ulong)number : number;
        }

        return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong large)
            ? large
            : SafeText.Line(text, Json.TextLength);
    }

    private static Part KindOf(string expression)
        => expression == BpftraceRewriter.PythonStack ? Part.PythonStack
            : StackWord().IsMatch(expression) ? Part.Stack
            : NumberWord().IsMatch(expression) ? Part.Number
            : Part.Any;

    private static IReadOnlyList<string> Split(string text, IReadOnlyList<Part> parts)
    {
        if (parts.Count == 1)
        {
            return [text];
        }

        string[] pieces = text.Split(',');
        if (pieces.Length == parts.Count)
        {
            return pieces;
        }

        if (pieces.Length < parts.Count)
        {
            return [text];
        }

        int left = MostSplits;
        List<IReadOnlyList<string>> found = [];
        Search(pieces, 0, parts, 0, [], found, ref left);
        return found.Count == 1 ? found[0] : [text];
    }

    /// <summary>Finds the ways to join pieces into parts that each can be what it stands for.</summary>
    private static void Search(
        string[] pieces,
        int piece,
        IReadOnlyList<Part> parts,
        int part,
        List<string> taken,
        List<IReadOnlyList<string>> found,
        ref int left)
    {
        if (part == parts.Count)
        {
            if (piece == pieces.Length)
            {
                found.Add([.. taken]);
            }

            return;
        }

        int most = pieces.Length - (parts.Count - part - 1);
        for (int end = piece + 1; end <= most && found.Count < 2 && left-- > 0; end++)
        {
            string text = string.Join(',', pieces[piece..end]);
            if (Fits(text, parts[part]))
            {
                taken.Add(text);
                Search(pieces, end, parts, part + 1, taken, found, ref left);
                taken.RemoveAt(taken.Count - 1);
            }
        }
    }

    private static bool Fits(string text, Part part) => part switch
    {
        Part.Number or Part.PythonStack => WholeNumber().IsMatch(text),
        Part.Stack => IsStack(text) || text.Length == 0,
        _ => true,
    };

    private static bool IsStack(string text)
        => text.Length > 1 && text[0] == '\n' && text[^1] == '\n';

    [GeneratedRegex(@"\b[ku]stack\b")]
    private static partial Regex StackWord();

    [GeneratedRegex(
        @"^(?:\((?:u?int\d+|\w*size_t)\).*|pid|tid|uid|gid|cpu|nsecs|elapsed|cgroup|rand|retval|s?arg\d|\$\d+|-?\d+"
        + @"|0x[0-9a-fA-F]+)$")]
    private static partial Regex NumberWord();

    [GeneratedRegex(@"^-?\d+$")]
    private static partial Regex WholeNumber();
}
