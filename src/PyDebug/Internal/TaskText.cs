using System.Text;

namespace PyDebug.Internal;

/// <summary>Writes a task for people.</summary>
internal static class TaskText
{
    /// <summary>The task on the first line, then a coroutine a line, innermost first.</summary>
    public static string Whole(PyTask task)
    {
        StringBuilder text = new();
        text.Append("Task ").Append(SafeText.Line(task.Name, 100)).Append(" (").Append(SafeText.Line(task.State, 20));
        if (!string.IsNullOrEmpty(task.Awaits))
        {
            text.Append(": ").Append(SafeText.Line(task.Awaits, 100));
        }

        text.Append(')');
        foreach (StackFrame frame in task.Frames)
        {
            text.Append("\n    ").Append(FrameText.One(frame));
        }

        return text.ToString();
    }
}
