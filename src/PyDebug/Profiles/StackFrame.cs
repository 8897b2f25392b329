using System.Collections.Generic;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>One frame of a stack.</summary>
public sealed partial record StackFrame
{
    internal StackFrame()
    {
    }

    /// <summary>The function's qualified name.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>The source file as the interpreter knows it.</summary>
    public string FileName { get; internal init; } = "";

    /// <summary>The line that is being executed; null where it is not known.</summary>
    public int? Line { get; internal init; }

    /// <summary>Whether the file was changed since the process started: the line may show something else now.</summary>
    public bool FileChanged { get; internal init; }

    /// <summary>The module or library, where the tool gives one.</summary>
    public string? Module { get; internal init; }

    /// <summary>The local variables, where they were asked for.</summary>
    public IReadOnlyList<StackLocal>? Locals { get; internal init; }

    /// <summary>The frame as <c>function (file.py:12)</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString() => FrameText.One(this);
}
