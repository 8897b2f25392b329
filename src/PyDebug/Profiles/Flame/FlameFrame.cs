using System.Globalization;
using PyDebug.Internal;

namespace PyDebug.Profiles.Flame;

/// <summary>A frame as the picture shows it: safe text, and a colour.</summary>
internal sealed class FlameFrame
{
    private const int NameLength = 300;

    private FlameFrame(string name, string place, string detail, string color)
    {
        Name = name;
        Place = place;
        Detail = detail;
        Color = color;
    }

    /// <summary>The function's name.</summary>
    public string Name { get; }

    /// <summary>The file without its folders, and the line.</summary>
    public string Place { get; }

    /// <summary>The whole path and the line.</summary>
    public string Detail { get; }

    /// <summary>The CSS class that colours it.</summary>
    public string Color { get; }

    /// <summary>A frame of a stack.</summary>
    public static FlameFrame Of(StackFrame frame)
    {
        string name = SafeText.Line(frame.Name.Length == 0 ? "?" : frame.Name, NameLength);
        string line = frame.Line is int number ? string.Create(CultureInfo.InvariantCulture, $":{number}") : "";
        string detail = frame.FileName.Length == 0 ? "" : SafeText.Line(frame.FileName, NameLength) + line;
        if (frame.FileChanged)
        {
            detail += " (changed since the process started)";
        }

        return new FlameFrame(name, FrameText.Place(frame), detail, FlamePalette.ClassOf(frame));
    }

    /// <summary>The end of a stack: how the time there was spent.</summary>
    public static FlameFrame End(SampleState state)
        => new(
            TimeReason.Label(state.Reason ?? "", state.Call),
            "",
            TimeReason.Meaning(state.Reason ?? ""),
            FlamePalette.ClassOf(state));

    /// <summary>A frame around stacks: a process or a thread.</summary>
    public static FlameFrame Group(string name, string detail)
        => new(SafeText.Line(name, NameLength), "", SafeText.Line(detail, NameLength), FlamePalette.Group);

    /// <summary>What stands for frames that are too narrow to be drawn.</summary>
    public static FlameFrame Others(int count)
        => new(
            count == 1 ? "one narrow frame" : string.Create(CultureInfo.InvariantCulture, $"{count:#,0} narrow frames"),
            "",
            "too narrow to be drawn one by one",
            FlamePalette.Others);
}
