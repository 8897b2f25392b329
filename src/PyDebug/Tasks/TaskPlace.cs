namespace PyDebug.Internal;

/// <summary>The place of a task in the tree of who waits for whom.</summary>
/// <param name="Prefix">The lines of the tree in front of the name.</param>
/// <param name="HeldMicroseconds">For how long the loop's thread was held, or null.</param>
internal sealed record TaskPlace(string Prefix, double? HeldMicroseconds);
