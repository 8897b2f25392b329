using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace PyDebug.Engine;

/// <summary>
/// Which Python of an image runs a debug container: the one that the target's own words name, one beside its program,
/// or one on the image's search path.
/// </summary>
internal static class Interpreter
{
    /// <summary>What is looked for on the image's search path.</summary>
    public const string Usual = "python3";

    private static readonly string[] s_onPath = [Usual, "python"];

    private static readonly string[] s_standard =
        ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];

    /// <summary>The interpreters to try in the target's own image, in their order.</summary>
    public static IReadOnlyList<string> Of(ContainerInfo target)
        => Named(target.Command) is string named ? [named]
            : Beside(target) is string beside ? [beside, .. s_onPath]
            : s_onPath;

    /// <summary>The interpreters to try in another image, in their order.</summary>
    public static IReadOnlyList<string> OfAnyImage => s_onPath;

    /// <summary>Whether a debug container for the target may be started with that interpreter.</summary>
    public static bool MayStart(string python, ContainerInfo target)
        => s_onPath.Contains(python) || Of(target).Contains(python);

    /// <summary>The program that the container runs, where that is a Python.</summary>
    private static string? Named(IReadOnlyList<string> command)
    {
        string? program = command.Count == 0 ? null : command[0];
        string name = Path.GetFileName(program) ?? string.Empty;
        return name.StartsWith("python", StringComparison.Ordinal)
            && !name.StartsWith("python2", StringComparison.Ordinal)
            && name.AsSpan(6).TrimStart("0123456789.t").IsEmpty
            ? program
            : null;
    }

    /// <summary>
    /// The Python in the folder of the first program that is off the usual search path, as in
    /// <c>/opt/conda/bin/service</c>, or of such a folder on the path that the container is given.
    /// </summary>
    private static string? Beside(ContainerInfo target)
        => target.Command.Concat(target.Arguments)
            .SelectMany(
                w => w.Split([' ', '\t', '\n', ';', '&', '|', '"', '\''], StringSplitOptions.RemoveEmptyEntries))
            .Where(w => w.StartsWith('/'))
            .Select(w => w[..w.LastIndexOf('/')])
            .Concat((target.SearchPath ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
            .Where(f => f.StartsWith('/') && f.EndsWith("/bin", StringComparison.Ordinal) && !s_standard.Contains(f))
            .Select(f => $"{f}/{Usual}")
            .FirstOrDefault();
}
