using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Globalization;
using System.Management.Automation;
using System.Text.RegularExpressions;

namespace PyDebug.Internal;

/// <summary>
/// What the views of PyDebug.Format.ps1xml call. Everything returned is safe to show. Objects made again from CLIXML
/// or JSON are shown like live ones.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static partial class Display
{
    private const int HeadingLength = 117;

    private const int ShortestCommand = 12;

    private const int ImageLength = 22;

    /// <summary>A text on one line without control characters.</summary>
    /// <param name="value">Any value; null is the empty string.</param>
    /// <returns>The text.</returns>
    public static string Safe(object? value) => SafeText.Line(Plain(value)?.ToString());

    /// <summary>A text on one line without control characters, cut to a length.</summary>
    /// <param name="value">Any value; null is the empty string.</param>
    /// <param name="length">The most characters.</param>
    /// <returns>The text.</returns>
    public static string Safe(object? value, int length) => SafeText.Line(Plain(value)?.ToString(), length);

    /// <summary>A name on one line, cut in the middle: most end in a number that tells them apart.</summary>
    /// <param name="value">Any value; null is the empty string.</param>
    /// <param name="length">The most characters.</param>
    /// <returns>The text.</returns>
    public static string Middle(object? value, int length)
        => ShortNames.Middle(SafeText.Line(Plain(value)?.ToString()), length);

    /// <summary>A whole record, as its ToString writes it.</summary>
    /// <param name="item">A stack or a task.</param>
    /// <returns>Lines of text.</returns>
    public static string Whole(PSObject item) => item.TypeNames[0] switch
    {
        string name when name.EndsWith(nameof(PyThreadStack), StringComparison.Ordinal) =>
            As<PyThreadStack>(item).ToString(),
        string name when name.EndsWith(nameof(PyThreadGroup), StringComparison.Ordinal) =>
            As<PyThreadGroup>(item).ToString(),
        string name when name.EndsWith(nameof(PyTaskGroup), StringComparison.Ordinal) =>
            As<PyTaskGroup>(item).ToString(),
        string name when name.EndsWith(nameof(PyTask), StringComparison.Ordinal) => As<PyTask>(item).ToString(),
        _ => Safe(item),
    };

    /// <summary>The pod and container of a record.</summary>
    /// <param name="item">A record that has both.</param>
    /// <returns>The text as <c>namespace/pod/container</c>.</returns>
    public static string Pod(PSObject item)
        => Safe($"{Get(item, "Namespace")}/{Get(item, "PodName")}/{Get(item, "ContainerName")}");

    /// <summary>The heading above a process's threads.</summary>
    /// <param name="item">One of the threads.</param>
    /// <returns>One line.</returns>
    public static string StackHeading(PSObject item)
    {
        if (Is<PyThreadGroup>(item))
        {
            PyThreadGroup group = As<PyThreadGroup>(item);
            string held = Held(group.Snapshot);
            return ProcessHeading(item, group.ProcessId, group.CommandLine, group.PythonVersion, held);
        }

        PyThreadStack stack = As<PyThreadStack>(item);
        return ProcessHeading(item, stack.ProcessId, stack.CommandLine, stack.PythonVersion, Held(stack.Snapshot));
    }

    private static string Held(StackSnapshot? said)
    {
        string end = "";
        if (said is StackSnapshot snapshot)
        {
            string threads = snapshot.Running == 1 ? "1 running thread" : $"{snapshot.Running} running threads";
            string held = snapshot.HeldMicroseconds is double time && snapshot.Running > 0
                ? $"{threads} held for {Microseconds(time)}"
                : "nothing was held";
            end = $"{(snapshot.FreeThreaded ? ", free-threaded" : "")}  ({held})";
        }

        return end;
    }

    /// <summary>The heading above a process's tasks.</summary>
    /// <param name="item">One of the tasks.</param>
    /// <returns>One line.</returns>
    public static string TaskHeading(PSObject item)
    {
        (int process, string? version, TaskPlace? place) = Is<PyTaskGroup>(item)
            ? (As<PyTaskGroup>(item).ProcessId, As<PyTaskGroup>(item).PythonVersion, As<PyTaskGroup>(item).Place)
            : (As<PyTask>(item).ProcessId, As<PyTask>(item).PythonVersion, As<PyTask>(item).Place);
        string end = place switch
        {
            null => "",
            { HeldMicroseconds: double time } => $"  (held for {Microseconds(time)})",
            _ => "  (nothing was held)",
        };
        return ProcessHeading(item, process, null, version, end);
    }

    /// <summary>A stack's frames on one line, innermost first, or why there are none.</summary>
    /// <param name="item">A stack or a task.</param>
    /// <returns>One line.</returns>
    public static string Where(PSObject item)
    {
        if (Is<PyTask>(item))
        {
            return FrameText.Joined(As<PyTask>(item).Frames);
        }

        if (Is<PyTaskGroup>(item))
        {
            return FrameText.Joined(As<PyTaskGroup>(item).Frames);
        }

        if (Is<PyThreadGroup>(item))
        {
            PyThreadGroup group = As<PyThreadGroup>(item);
            return Where(group.Frames, group.OmittedFrameCount, group.Error);
        }

        PyThreadStack stack = As<PyThreadStack>(item);
        return Where(stack.Frames, stack.OmittedFrameCount, stack.Error);
    }

    private static string Where(IReadOnlyList<StackFrame> frames, long left, string? error)
        => frames.Count == 0
            ? $"({StackText.Missing(error)})"
            : FrameText.Joined(frames) + (left > 0 ? Format($" < {left:#,0} more") : "");

    /// <summary>What a thread waits for, in short.</summary>
    /// <param name="item">A stack.</param>
    /// <returns>One line.</returns>
    public static string Waits(PSObject item)
    {
        string text = Safe(Get(item, "WaitsFor")).Replace(" anon_inode:[eventpoll]", "", StringComparison.Ordinal);
        return Safe(InodeNumber().Replace(text, ""), 24);
    }

    /// <summary>A task's name behind the lines of the tree.</summary>
    /// <param name="item">A task.</param>
    /// <returns>One line.</returns>
    public static string TaskName(PSObject item)
    {
        PyTask task = As<PyTask>(item);
        return (task.Place?.Prefix ?? "") + SafeText.Line(task.Name, 32);
    }

    /// <summary>The names of the members of a group, in short.</summary>
    /// <param name="item">A group of threads or tasks.</param>
    /// <returns>The first name, and how many others there are.</returns>
    public static string Names(PSObject item)
    {
        IReadOnlyList<string> names = Is<PyTaskGroup>(item) ? As<PyTaskGroup>(item).Names : As<PyThreadGroup>(item).Names;
        return names.Count switch
        {
            0 => "",
            1 => ShortNames.Middle(SafeText.Line(names[0]), 22),
            _ => ShortNames.Middle(SafeText.Line(names[0]), 16) + Format($" +{names.Count - 1}"),
        };
    }

    /// <summary>Where a frame's code is.</summary>
    /// <param name="item">A frame.</param>
    /// <returns>The file and line.</returns>
    public static string Place(PSObject item)
    {
        StackFrame frame = As<StackFrame>(item);
        string line = frame.Line is int number ? $":{number}" : "";
        return SafeText.Line(frame.FileName) + line + (frame.FileChanged ? ", changed" : "");
    }

    /// <summary>CPU time.</summary>
    /// <param name="seconds">Seconds, or null.</param>
    /// <returns>The time, such as 41.8s.</returns>
    public static string Cpu(object? seconds)
    {
        if (Number(seconds) is not double time)
        {
            return "";
        }

        return time switch
        {
            < 1000 => Format($"{time:0.0}s"),
            < 36_000 => Format($"{time / 60:0}m"),
            _ => Format($"{time / 3600:0}h"),
        };
    }

    /// <summary>How long ago a time is.</summary>
    /// <param name="time">A time in UTC, or null.</param>
    /// <returns>The age in kubectl's manner, such as 5m.</returns>
    public static string Age(object? time)
    {
        if (Plain(time) is not DateTime start)
        {
            return "";
        }

        double seconds = Math.Max(0, (DateTime.UtcNow - start.ToUniversalTime()).TotalSeconds);
        return seconds switch
        {
            < 10 => Format($"{seconds:0.0}s"),
            < 120 => Format($"{seconds:0}s"),
            < 7200 => Format($"{seconds / 60:0}m"),
            < 172_800 => Format($"{seconds / 3600:0}h"),
            _ => Format($"{seconds / 86_400:0}d"),
        };
    }

    /// <summary>A session's state; where it ended because its target did at a limit, that.</summary>
    /// <param name="item">A session.</param>
    /// <returns>The state, or the reason and how often the target was started again: <c>OOMKilled x2</c>.</returns>
    public static string State(PSObject item)
    {
        string state = Safe(Get(item, "State"), 10);
        string reason = Safe(Get(item, "TargetLastEndReason"), 12);
        if (state != "Terminated"
            || reason != "OOMKilled"
            || Get(item, "TargetLastEnded") is not DateTime ended
            || Get(item, "Started") is not DateTime started
            || ended.ToUniversalTime() < started.ToUniversalTime())
        {
            return state;
        }

        return Number(Get(item, "TargetRestartCount")) is double count && count > 0
            ? reason + Format($" x{count:0}")
            : reason;
    }

    /// <summary>An amount of memory.</summary>
    /// <param name="bytes">Bytes, or null.</param>
    /// <returns>The amount in Kubernetes' units, such as 61Mi.</returns>
    public static string Memory(object? bytes) => Number(bytes) switch
    {
        null => "",
        double size and < 10 * 1024 * 1024 => Format($"{size / (1024 * 1024):0.0}Mi"),
        double size and < 10_000.0 * 1024 * 1024 => Format($"{size / (1024 * 1024):0}Mi"),
        double size => Format($"{size / (1024 * 1024 * 1024):0.0}Gi"),
    };

    /// <summary>The image of a session, in short where it is the application's.</summary>
    /// <param name="item">A session.</param>
    /// <returns>One word or two.</returns>
    public static string Image(PSObject item)
    {
        if (Get(item, "ImageSource") as string == "Application")
        {
            return "(application's)";
        }

        string image = Safe(Get(item, "Image"));
        return image.Length <= ImageLength ? image : $"…{image[^(ImageLength - 1)..]}";
    }

    private static string ProcessHeading(PSObject item, int processId, string? command, string? version, string end)
    {
        string start = $"{Pod(item)}  process {processId}";
        string python = string.IsNullOrEmpty(version) ? "" : $"  CPython {SafeText.Line(version, 20)}";
        int room = HeadingLength - start.Length - python.Length - end.Length - 2;
        string line = SafeText.Line(command, Math.Max(room, ShortestCommand));
        return start + (line.Length == 0 ? "" : $"  {line}") + python + end;
    }

    private static string Microseconds(double time)
        => time < 1000 ? Format($"{time:0} us") : Format($"{time / 1000:0.0} ms");

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static bool Is<T>(PSObject item) => item.TypeNames[0].EndsWith("." + typeof(T).Name, StringComparison.Ordinal);

    private static T As<T>(PSObject item)
        where T : class
        => item.BaseObject as T ?? (T)RecordReader.Read(item, typeof(T));

    private static object? Get(PSObject item, string name) => Plain(item.Properties[name]?.Value);

    private static object? Plain(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;

    private static double? Number(object? value)
        => Plain(value) is IConvertible number and not string
            ? Convert.ToDouble(number, CultureInfo.InvariantCulture)
            : null;

    [GeneratedRegex(@":\[\d+\]$")]
    private static partial Regex InodeNumber();
}
