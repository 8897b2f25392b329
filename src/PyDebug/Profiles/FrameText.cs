using System.Collections.Generic;
using System.Globalization;
using System.Text;
using PyDebug.Profiles;

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

    /// <summary>
    /// The frames joined from the innermost outwards; a frame that repeats is counted. Of the library's frames only the
    /// innermost is written where the application has frames as well: they are what fits on a line least and says most.
    /// </summary>
    /// <param name="frames">The frames, innermost first.</param>
    /// <param name="length">The most characters of interest; frames behind it are left out.</param>
    public static string Joined(IReadOnlyList<StackFrame> frames, int length = 400)
    {
        int last = LastOfApplication(frames);
        StringBuilder text = new();
        for (int i = 0; i < frames.Count && text.Length < length;)
        {
            int next = i + 1;
            while (next < frames.Count && IsSame(frames[i], frames[next]))
            {
                next++;
            }

            if (i == 0 || last < 0 || !IsLibrary(frames[i]))
            {
                text.Append(i == 0 ? "" : " < ").Append(One(frames[i]));
                if (next - i > 1)
                {
                    text.Append(CultureInfo.InvariantCulture, $" x{next - i}");
                }
            }
            else if (i > last)
            {
                break;
            }
            else if (!IsLibrary(frames[i - 1]) || i == 1)
            {
                text.Append(" < …");
            }

            i = next;
        }

        return text.ToString();
    }

    /// <summary>The innermost frame; where that is a library's, the application's innermost as well.</summary>
    /// <param name="frames">The frames, innermost first.</param>
    public static string Innermost(IReadOnlyList<StackFrame> frames)
    {
        if (frames.Count == 0)
        {
            return "";
        }

        int own = 0;
        while (own < frames.Count && IsLibrary(frames[own]))
        {
            own++;
        }

        string first = One(frames[0]);
        return own == 0 || own == frames.Count ? first : $"{first} {(own > 1 ? "< … <" : "<")} {One(frames[own])}";
    }

    /// <summary>The file without its folders, and the line.</summary>
    public static string Place(StackFrame frame)
    {
        int cut = frame.FileName.LastIndexOf('/');
        string file = SafeText.Line(frame.FileName[(cut + 1)..], NameLength);
        string line = frame.Line is int number ? string.Create(CultureInfo.InvariantCulture, $":{number}") : "";
        return frame.FileChanged ? $"{file}{line}, changed" : file + line;
    }

    private static int LastOfApplication(IReadOnlyList<StackFrame> frames)
    {
        int last = frames.Count - 1;
        while (last >= 0 && IsLibrary(frames[last]))
        {
            last--;
        }

        return last;
    }

    private static bool IsLibrary(StackFrame frame)
        => frame.FileName.StartsWith('<')
            || FrameOwner.Of(frame).Origin is FrameOrigin.Library or FrameOrigin.Python;

    private static bool IsSame(StackFrame one, StackFrame other)
        => one.Line == other.Line && one.Name == other.Name && one.FileName == other.FileName;
}
