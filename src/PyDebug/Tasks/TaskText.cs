using System.Collections.Generic;
using System.Text;

namespace PyDebug.Internal;

/// <summary>Writes a task for people.</summary>
internal static class TaskText
{
    /// <summary>The number of tasks on the first line, then a coroutine a line, innermost first.</summary>
    public static string Whole(PyTaskGroup group)
    {
        StringBuilder text = new();
        text.Append(Counts.Of(group.Count, "task", "tasks")).Append(" (").Append(SafeText.Line(group.State, 20));
        End(text, group.Awaits, group.Frames);
        return text.ToString();
    }

    /// <summary>The task on the first line, then a coroutine a line, innermost first.</summary>
    public static string Whole(PyTask task)
    {
        StringBuilder text = new();
        text.Append("Task ").Append(SafeText.Line(task.Name, 100)).Append(" (").Append(SafeText.Line(task.State, 20));
        End(text, task.Awaits, task.Frames);
        return text.ToString();
    }

    private static void End(StringBuilder text, string? awaits, IReadOnlyList<StackFrame> frames)
    {
        if (!string.IsNullOrEmpty(awaits))
        {
            text.Append(": ").Append(SafeText.Line(awaits, 100));
        }

        text.Append(')');
        foreach (StackFrame frame in frames)
        {
            text.Append("\n    ").Append(FrameText.One(frame));
        }
    }
}
