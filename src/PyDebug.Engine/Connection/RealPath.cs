using System;
using System.IO;

namespace PyDebug.Engine;

/// <summary>Follows the links on the way to a file.</summary>
internal static class RealPath
{
    private const int MaxLinks = 40;

    private static readonly StringComparison s_names =
        OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;

    /// <summary>The path without links. A part that is not there, or may not be looked at, stays as it is.</summary>
    /// <exception cref="IOException">The links lead in a circle.</exception>
    public static string Of(string path)
    {
        string left = Path.GetFullPath(path);
        string done = Path.GetPathRoot(left)!;
        left = left[done.Length..];
        for (int links = 0; left.Length > 0;)
        {
            int end = left.AsSpan().IndexOfAny(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar);
            string part = end < 0 ? left : left[..end];
            left = end < 0 ? string.Empty : left[(end + 1)..];
            string here = Path.Join(done, part);
            if (part.Length == 0 || Target(here) is not string target)
            {
                done = here;
                continue;
            }

            if (++links > MaxLinks)
            {
                throw new IOException("too many links");
            }

            string next = Path.GetFullPath(Path.Join(Path.GetFullPath(target, done), left));
            done = Path.GetPathRoot(next)!;
            left = next[done.Length..];
        }

        return done;
    }

    /// <summary>Whether a path without links lies below a folder without links.</summary>
    public static bool IsBelow(string path, string folder)
        => path.StartsWith(Path.TrimEndingDirectorySeparator(folder) + Path.DirectorySeparatorChar, s_names);

    private static string? Target(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
