
namespace PyDebug.Internal;

/// <summary>What the views of frames have their cells from.</summary>
internal static class FrameDisplay
{
    /// <summary>The file and line of a frame's code.</summary>
    public static string Source(string? fileName, int? line, bool changed)
        => SafeText.Line(fileName) + (line is int number ? $":{number}" : "") + (changed ? ", changed" : "");
}
