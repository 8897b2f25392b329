using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.IO;
using System.Management.Automation;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>Resolves the paths that users give: what PowerShell cannot resolve is a failure like any other.</summary>
internal static class LocalPath
{
    private const string Files = "FileSystem";

    /// <summary>The full path of a file on this machine, whether or not it is there.</summary>
    /// <param name="cmdlet">The cmdlet, whose current folder a relative path starts from.</param>
    /// <param name="path">The path as the user gave it. Brackets, stars and question marks are part of it.</param>
    /// <param name="cause">The cause of the failure.</param>
    /// <exception cref="PyDebugException">It is no path of a file.</exception>
    public static string Full(PSCmdlet cmdlet, string path, string cause)
    {
        try
        {
            string full = cmdlet.SessionState.Path.GetUnresolvedProviderPathFromPSPath(
                path, out ProviderInfo provider, out PSDriveInfo _);
            return provider.Name == Files && full.IndexOf('\0', StringComparison.Ordinal) < 0
                ? Path.GetFullPath(full)
                : throw Invalid(path, $"It is a path of {provider.Name}, not of a file.", cause);
        }
        catch (Exception e) when (IsOfPaths(e))
        {
            throw Invalid(path, e.Message, cause);
        }
    }

    /// <summary>The files that a pattern stands for.</summary>
    /// <param name="cmdlet">The cmdlet, whose current folder a relative path starts from.</param>
    /// <param name="pattern">The pattern as the user gave it.</param>
    /// <exception cref="PyDebugException">It is no pattern of files, or no file matches.</exception>
    public static IReadOnlyCollection<string> Matching(PSCmdlet cmdlet, string pattern)
    {
        Collection<string> found;
        try
        {
            found = cmdlet.GetResolvedProviderPathFromPSPath(pattern, out ProviderInfo provider);
            if (provider.Name != Files)
            {
                throw Invalid(pattern, $"It is a path of {provider.Name}, not of a file.", LocalCause.SourceInvalid);
            }
        }
        catch (ItemNotFoundException)
        {
            found = [];
        }
        catch (Exception e) when (IsOfPaths(e))
        {
            throw Invalid(pattern, e.Message, LocalCause.SourceInvalid);
        }

        return found.Count > 0
            ? found
            : throw ErrorFactory.Local(LocalCause.SourceInvalid, $"No file matches '{pattern}'.");
    }

    private static bool IsOfPaths(Exception exception)
        => exception is (RuntimeException and not PipelineStoppedException)
            or ArgumentException or NotSupportedException or IOException or UnauthorizedAccessException;

    private static PyDebugException Invalid(string path, string reason, string cause)
    {
        string advice = path.Contains(':', StringComparison.Ordinal)
            ? "What stands before a colon is taken for a drive: a name that has one begins with ./ and no drive."
            : "Check the path.";
        return ErrorFactory.Local(
            cause,
            $"'{path}' cannot be resolved. {reason}",
            detail: new Dictionary<string, string> { ["advice"] = advice });
    }
}
