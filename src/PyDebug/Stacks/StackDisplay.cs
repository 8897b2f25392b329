using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.RegularExpressions;

namespace PyDebug.Internal;

/// <summary>What the views of threads and of groups of them have their cells from.</summary>
internal static partial class StackDisplay
{
    /// <summary>The heading above a process's threads.</summary>
    public static string Heading(PyThreadStack stack)
        => Display.ProcessHeading(
            stack, stack.ProcessId, stack.CommandLine, stack.PythonVersion, Held(stack.Snapshot));

    /// <summary>The heading above a process's groups of threads.</summary>
    public static string Heading(PyThreadGroup group)
        => Display.ProcessHeading(
            group, group.ProcessId, group.CommandLine, group.PythonVersion, Held(group.Snapshot));

    /// <summary>A stack's frames on one line, innermost first, or why there are none.</summary>
    public static string Where(IReadOnlyList<StackFrame> frames, long left, string? error)
        => frames.Count == 0
            ? $"({StackText.Missing(error)})"
            : FrameText.Joined(frames)
                + (left > 0 ? string.Create(CultureInfo.InvariantCulture, $" < {left:#,0} more") : "");

    /// <summary>What a thread waits for, in short.</summary>
    public static string Waits(string? reason)
    {
        string text = SafeText.Line(reason).Replace(" anon_inode:[eventpoll]", "", StringComparison.Ordinal);
        return SafeText.Line(InodeNumber().Replace(text, ""), 24);
    }

    private static string Held(StackSnapshot? said)
    {
        if (said is not StackSnapshot snapshot)
        {
            return "";
        }

        string threads = snapshot.Running == 1 ? "1 running thread" : $"{snapshot.Running} running threads";
        string held = snapshot.HeldMicroseconds is double time && snapshot.Running > 0
            ? $"{threads} held for {Amounts.Length(time / 1e6)}"
            : "nothing was held";
        return $"{(snapshot.FreeThreaded ? ", free-threaded" : "")}  ({held})";
    }

    [GeneratedRegex(@":\[\d+\]$")]
    private static partial Regex InodeNumber();
}
