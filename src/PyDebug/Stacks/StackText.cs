using System.Globalization;
using System.Text;

namespace PyDebug.Internal;

/// <summary>Writes a thread's whole stack for people.</summary>
internal static class StackText
{
    /// <summary>The thread on the first line, then a frame a line, innermost first.</summary>
    public static string Whole(PyThreadStack stack)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"Thread {stack.ThreadId} ({State(stack)})");
        if (!string.IsNullOrEmpty(stack.Name))
        {
            text.Append(": \"").Append(SafeText.Line(stack.Name, 100)).Append('"');
        }

        foreach (StackFrame frame in stack.Frames)
        {
            text.Append("\n    ").Append(FrameText.One(frame));
            foreach (StackLocal local in frame.Locals ?? [])
            {
                text.Append("\n        ").Append(local);
            }
        }

        if (stack.OmittedFrameCount > 0)
        {
            string outer = Counts.Of(stack.OmittedFrameCount, "frame further out is", "frames further out are");
            text.Append("\n    (").Append(outer).Append(" left out)");
        }

        if (stack.Frames.Count == 0)
        {
            text.Append("\n    (").Append(Missing(stack.Error)).Append(')');
        }

        return text.ToString();
    }

    /// <summary>The number of threads on the first line, then a frame a line, innermost first.</summary>
    public static string Whole(PyThreadGroup group)
    {
        PyThreadStack one = new()
        {
            State = group.State,
            WaitsFor = group.WaitsFor,
            Error = group.Error,
            Frames = group.Frames,
            OmittedFrameCount = group.OmittedFrameCount,
        };
        string text = Whole(one);
        string frames = text[text.IndexOf('\n', System.StringComparison.Ordinal)..];
        return $"{Counts.Of(group.Count, "thread", "threads")} ({State(one)}){frames}";
    }

    /// <summary>Why a thread has no frames.</summary>
    public static string Missing(string? error)
        => string.IsNullOrEmpty(error) ? "no Python frames" : SafeText.Line(error, 200);

    private static string State(PyThreadStack stack)
    {
        string state = SafeText.Line(stack.State, 20);
        if (!string.IsNullOrEmpty(stack.WaitsFor))
        {
            state += ": " + SafeText.Line(stack.WaitsFor, 100);
        }

        return stack.HoldsGil == true ? state + ", holds the GIL" : state;
    }
}
