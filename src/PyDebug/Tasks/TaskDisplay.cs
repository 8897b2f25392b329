using System.ComponentModel;
using System.Management.Automation;

namespace PyDebug.Internal;

/// <summary>What the views of tasks and of groups of them call. Everything returned is safe to show.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class TaskDisplay
{
    /// <summary>A whole record, as its ToString writes it.</summary>
    /// <param name="item">A task, or a group of them.</param>
    /// <returns>Lines of text.</returns>
    public static string Whole(PSObject item) => RecordReader.Is<PyTaskGroup>(item)
        ? RecordReader.As<PyTaskGroup>(item).ToString()
        : RecordReader.As<PyTask>(item).ToString();

    /// <summary>The heading above a process's tasks.</summary>
    /// <param name="item">One of the tasks.</param>
    /// <returns>One line.</returns>
    public static string Heading(PSObject item)
    {
        (int process, string? version, TaskPlace? place) = RecordReader.Is<PyTaskGroup>(item)
            ? Of(RecordReader.As<PyTaskGroup>(item))
            : Of(RecordReader.As<PyTask>(item));
        string end = place switch
        {
            null => "",
            { HeldMicroseconds: double time } => $"  (held for {Display.Microseconds(time)})",
            _ => "  (nothing was held)",
        };
        return Display.ProcessHeading(item, process, null, version, end);
    }

    /// <summary>A stack's frames on one line, innermost first.</summary>
    /// <param name="item">A task, or a group of them.</param>
    /// <returns>One line.</returns>
    public static string Where(PSObject item) => FrameText.Joined(RecordReader.Is<PyTaskGroup>(item)
        ? RecordReader.As<PyTaskGroup>(item).Frames
        : RecordReader.As<PyTask>(item).Frames);

    /// <summary>A task's name behind the lines of the tree.</summary>
    /// <param name="item">A task.</param>
    /// <returns>One line.</returns>
    public static string Name(PSObject item)
    {
        PyTask task = RecordReader.As<PyTask>(item);
        return (task.Place?.Prefix ?? "") + SafeText.Line(task.Name, 32);
    }

    /// <summary>The names of the members of a group, in short.</summary>
    /// <param name="item">A group of tasks.</param>
    /// <returns>The first name, and how many others there are.</returns>
    public static string Names(PSObject item) => ShortNames.FirstOf(RecordReader.As<PyTaskGroup>(item).Names);

    private static (int Process, string? Version, TaskPlace? Place) Of(PyTaskGroup group)
        => (group.ProcessId, group.PythonVersion, group.Place);

    private static (int Process, string? Version, TaskPlace? Place) Of(PyTask task)
        => (task.ProcessId, task.PythonVersion, task.Place);
}
