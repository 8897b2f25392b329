using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Engine;

/// <summary>What one policy file allows. A rule that it does not have allows everything.</summary>
internal sealed class PolicyRules
{
    /// <summary>Stands for the target container's own image in <see cref="Images"/>.</summary>
    public const string Application = "@application";

    /// <summary>The file it was read from.</summary>
    public required string File { get; init; }

    /// <summary>References with <c>*</c> for any letters, <c>sha256:...</c>, and the application's own.</summary>
    public IReadOnlyList<string>? Images { get; init; }

    /// <summary>Security profiles by their names.</summary>
    public IReadOnlyList<string>? Profiles { get; init; }

    /// <summary>Cmdlets that are switched off.</summary>
    public IReadOnlyList<string> Off { get; init; } = [];

    /// <summary>Login helpers: bare names, which are looked up on PATH, and full paths.</summary>
    public IReadOnlyList<string>? LoginHelpers { get; init; }

    /// <summary>The longest life of a debug container.</summary>
    public TimeSpan? Life { get; init; }

    /// <summary>Whether a start must say what it is for.</summary>
    public bool RequiresReason { get; init; }

    /// <summary>Whether an image may be started.</summary>
    /// <param name="image">The reference.</param>
    /// <param name="runs">The digest of the application's container where the image is its own; else null.</param>
    /// <param name="isOwn">Whether it is the target container's own.</param>
    public bool AllowsImage(string image, string? runs, bool isOwn)
        => Images is null
            || Images.Any(i => i.StartsWith("sha256:", StringComparison.Ordinal)
                ? image.EndsWith("@" + i, StringComparison.Ordinal) || runs == i
                : i == Application ? isOwn : Fits(i, image));

    /// <summary>Whether a text is the pattern's, in which a star is any row of letters.</summary>
    private static bool Fits(string pattern, string text)
    {
        string[] parts = pattern.Split('*');
        if (parts.Length == 1)
        {
            return pattern == text;
        }

        if (text.Length < parts[0].Length + parts[^1].Length
            || !text.StartsWith(parts[0], StringComparison.Ordinal)
            || !text.EndsWith(parts[^1], StringComparison.Ordinal))
        {
            return false;
        }

        int from = parts[0].Length;
        int end = text.Length - parts[^1].Length;
        foreach (string part in parts[1..^1])
        {
            int found = text.IndexOf(part, from, end - from, StringComparison.Ordinal);
            if (found < 0)
            {
                return false;
            }

            from = found + part.Length;
        }

        return true;
    }
}
