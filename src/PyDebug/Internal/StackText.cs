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

        if (stack.Frames.Count == 0)
        {
            text.Append("\n    (").Append(Missing(stack)).Append(')');
        }

        return text.ToString();
    }

    /// <summary>Why a thread has no frames.</summary>
    public static string Missing(PyThreadStack stack)
        => string.IsNullOrEmpty(stack.Error) ? "no Python frames" : SafeText.Line(stack.Error, 200);

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
