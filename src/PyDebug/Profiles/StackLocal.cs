using PyDebug.Internal;

namespace PyDebug;

/// <summary>A local variable of a frame, as text.</summary>
public sealed record StackLocal
{
    internal StackLocal()
    {
    }

    /// <summary>The variable's name.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>Its value as the tool wrote it.</summary>
    public string Value { get; internal init; } = "";

    /// <summary>Whether it is an argument of the function.</summary>
    public bool IsArgument { get; internal init; }

    /// <summary>The variable as <c>name = value</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString() => SafeText.Line($"{Name} = {Value}", 200);
}
