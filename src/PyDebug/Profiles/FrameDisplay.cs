using System.ComponentModel;
using System.Management.Automation;

namespace PyDebug.Internal;

/// <summary>What the views of frames call. Everything returned is safe to show.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class FrameDisplay
{
    /// <summary>Where a frame's code is.</summary>
    /// <param name="item">A frame, or what has a frame's properties.</param>
    /// <returns>The file and line.</returns>
    public static string Place(PSObject item)
    {
        StackFrame frame = RecordReader.As<StackFrame>(item);
        string line = frame.Line is int number ? $":{number}" : "";
        return SafeText.Line(frame.FileName) + line + (frame.FileChanged ? ", changed" : "");
    }
}
