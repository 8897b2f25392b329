using System.Collections.Generic;
using System.ComponentModel;
using System.Globalization;
using System.Management.Automation;
using System.Text.RegularExpressions;

namespace PyDebug.Internal;

/// <summary>What the views of threads and of groups of them call. Everything returned is safe to show.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static partial class StackDisplay
{
    /// <summary>A whole record, as its ToString writes it.</summary>
    /// <param name="item">A thread, or a group of them.</param>
    /// <returns>Lines of text.</returns>
    public static string Whole(PSObject item) => RecordReader.Is<PyThreadGroup>(item)
        ? RecordReader.As<PyThreadGroup>(item).ToString()
        : RecordReader.As<PyThreadStack>(item).ToString();

    /// <summary>The heading above a process's threads.</summary>
    /// <param name="item">One of the threads.</param>
    /// <returns>One line.</returns>
    public static string Heading(PSObject item)
    {
        if (RecordReader.Is<PyThreadGroup>(item))
        {
            PyThreadGroup group = RecordReader.As<PyThreadGroup>(item);
            string held = Held(group.Snapshot);
            return Display.ProcessHeading(item, group.ProcessId, group.CommandLine, group.PythonVersion, held);
        }

        PyThreadStack stack = RecordReader.As<PyThreadStack>(item);
        return Display.ProcessHeading(
            item, stack.ProcessId, stack.CommandLine, stack.PythonVersion, Held(stack.Snapshot));
    }

    /// <summary>A stack's frames on one line, innermost first, or why there are none.</summary>
    /// <param name="item">A thread, or a group of them.</param>
    /// <returns>One line.</returns>
    public static string Where(PSObject item)
    {
        if (RecordReader.Is<PyThreadGroup>(item))
        {
            PyThreadGroup group = RecordReader.As<PyThreadGroup>(item);
            return Where(group.Frames, group.OmittedFrameCount, group.Error);
        }

        PyThreadStack stack = RecordReader.As<PyThreadStack>(item);
        return Where(stack.Frames, stack.OmittedFrameCount, stack.Error);
    }

    /// <summary>What a thread waits for, in short.</summary>
    /// <param name="item">A thread, or a group of them.</param>
    /// <returns>One line.</returns>
    public static string Waits(PSObject item)
    {
        string text = Display.Safe(item.Properties["WaitsFor"]?.Value);
        text = text.Replace(" anon_inode:[eventpoll]", "", System.StringComparison.Ordinal);
        return Display.Safe(InodeNumber().Replace(text, ""), 24);
    }

    /// <summary>The names of the members of a group, in short.</summary>
    /// <param name="item">A group of threads.</param>
    /// <returns>The first name, and how many others there are.</returns>
    public static string Names(PSObject item) => ShortNames.FirstOf(RecordReader.As<PyThreadGroup>(item).Names);

    private static string Held(StackSnapshot? said)
    {
        if (said is not StackSnapshot snapshot)
        {
            return "";
        }

        string threads = snapshot.Running == 1 ? "1 running thread" : $"{snapshot.Running} running threads";
        string held = snapshot.HeldMicroseconds is double time && snapshot.Running > 0
            ? $"{threads} held for {Display.Microseconds(time)}"
            : "nothing was held";
        return $"{(snapshot.FreeThreaded ? ", free-threaded" : "")}  ({held})";
    }

    private static string Where(IReadOnlyList<StackFrame> frames, long left, string? error)
        => frames.Count == 0
            ? $"({StackText.Missing(error)})"
            : FrameText.Joined(frames)
                + (left > 0 ? string.Create(CultureInfo.InvariantCulture, $" < {left:#,0} more") : "");

    [GeneratedRegex(@":\[\d+\]$")]
    private static partial Regex InodeNumber();
}
