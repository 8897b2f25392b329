namespace PyDebug.Tools.Bpftrace;

/// <summary>A piece of a program as it runs: text, or the name of an expression that the agent knows.</summary>
/// <param name="Text">The text, or the name.</param>
/// <param name="IsWord">Whether it is a name.</param>
/// <param name="Start">Where in the user's program it stands for something.</param>
/// <param name="IsCopied">Whether the text is the user's own from there on.</param>
internal readonly record struct BpftracePart(string Text, bool IsWord, int Start, bool IsCopied);
