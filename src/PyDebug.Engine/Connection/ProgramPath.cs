using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace PyDebug.Engine;

/// <summary>
/// Finds a program by its bare name in the folders of PATH. The runtime would take one from the current directory
/// before that, which anybody may have filled.
/// </summary>
internal static class ProgramPath
{
    private const UnixFileMode AnyExecute =
        UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>The full path of a program; null where no absolute folder of PATH has it.</summary>
    public static string? Find(string name)
    {
        if (name.Length == 0 || name.AsSpan().ContainsAny(OperatingSystem.IsWindows() ? "/\\:\0" : "/\0"))
        {
            return null;
        }

        string path = Environment.GetEnvironmentVariable("PATH") ?? string.Empty;
        return path.Split(Path.PathSeparator)
            .Select(f => OperatingSystem.IsWindows() ? f.Trim('"') : f)
            .Where(Path.IsPathFullyQualified)
            .SelectMany(f => Names(name).Select(n => Path.Join(f, n)))
            .FirstOrDefault(IsProgram);
    }

    private static IEnumerable<string> Names(string name)
    {
        if (!OperatingSystem.IsWindows() || Path.HasExtension(name))
        {
            return [name];
        }

        string endings = Environment.GetEnvironmentVariable("PATHEXT") ?? ".COM;.EXE;.BAT;.CMD";
        return endings.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(e => name + e);
    }

    private static bool IsProgram(string path)
    {
        try
        {
            return File.Exists(path) && (OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & AnyExecute) != 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
