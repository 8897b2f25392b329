using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace PyDebug.Internal;

/// <summary>Writes frames for people.</summary>
internal static class FrameText
{
    private const int NameLength = 160;

    /// <summary>One frame as <c>function (file.py:12)</c>.</summary>
    public static string One(StackFrame frame)
    {
        string name = SafeText.Line(frame.Name.Length == 0 ? "?" : frame.Name, NameLength);
        string place = Place(frame);
        return place.Length == 0 ? name : $"{name} ({place})";
    }

    /// <summary>The frames joined from the innermost outwards; a frame that repeats is counted.</summary>
    /// <param name="frames">The frames, innermost first.</param>
    /// <param name="length">The most characters of interest; frames behind it are left out.</param>
    public static string Joined(IReadOnlyList<StackFrame> frames, int length = 400)
    {
        StringBuilder text = new();
        for (int i = 0; i < frames.Count && text.Length < length;)
        {
            string frame = One(frames[i]);
            int next = i + 1;
            while (next < frames.Count && IsSame(frames[i], frames[next]))
            {
                next++;
            }

            text.Append(i == 0 ? "" : " < ").Append(frame);
            if (next - i > 1)
            {
                text.Append(CultureInfo.InvariantCulture, $" x{next - i}");
            }

            i = next;
        }

        return text.ToString();
    }

    /// <summary>The file without its folders, and the line.</summary>
    public static string Place(StackFrame frame)
    {
        int cut = frame.FileName.LastIndexOfAny(['/', '\\']);
        string file = SafeText.Line(frame.FileName[(cut + 1)..], NameLength);
        string line = frame.Line is int number ? string.Create(CultureInfo.InvariantCulture, $":{number}") : "";
        return frame.FileChanged ? $"{file}{line}, changed" : file + line;
    }

    private static bool IsSame(StackFrame one, StackFrame other)
        => one.Line == other.Line && one.Name == other.Name && one.FileName == other.FileName;
}
