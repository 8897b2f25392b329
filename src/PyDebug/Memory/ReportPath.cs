using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>
/// Where the files of reports go: one file by name, or a folder in which each gets a name of its own. Checked before
/// anything is done to a process.
/// </summary>
internal sealed class ReportPath
{
    private readonly string _path;

    private readonly string _extension;

    private readonly bool _folder;

    private readonly bool _replace;

    private ReportPath(string path, string extension, bool replace)
    {
        _path = path;
        _extension = extension;
        _replace = replace;
        _folder = Directory.Exists(path);
    }

    /// <summary>Whether one file is named, which has room for one process.</summary>
    public bool IsOne => !_folder;

    /// <summary>Whether a file that exists is replaced.</summary>
    public bool Replace => _replace;

    /// <summary>Takes a path.</summary>
    /// <param name="parameter">The parameter that it came by.</param>
    /// <param name="path">The full path of a file, or of a folder that exists.</param>
    /// <param name="extension">The extension of names made here, with its point.</param>
    /// <param name="replace">Whether a file that exists is replaced.</param>
    /// <exception cref="PyDebugException">There can be no such file.</exception>
    public static ReportPath Check(string parameter, string path, string extension, bool replace)
    {
        ReportPath result = new(path, extension, replace);
        string? folder = result._folder ? path : Path.GetDirectoryName(path);
        if (!Directory.Exists(folder))
        {
            throw ErrorFactory.Local(
                LocalCause.DestinationInvalid,
                $"There is no folder '{folder}'.",
                detail: new Dictionary<string, string> { ["advice"] = $"Check -{parameter}. Nothing was done." });
        }

        if (!result._folder && !replace && File.Exists(path))
        {
            throw ErrorFactory.Local(LocalCause.DestinationExists, $"'{path}' exists.");
        }

        return result;
    }

    /// <summary>The file for one process's report.</summary>
    public string For(MemrayReport report)
    {
        if (!_folder)
        {
            return _path;
        }

        string name = string.Create(
            CultureInfo.InvariantCulture,
            $"memray-{report.Namespace}-{report.PodName}-{report.ContainerName}-{report.ProcessId}-")
            + (report.Started ?? report.Timestamp).ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        char[] invalid = Path.GetInvalidFileNameChars();
        return Path.Join(_path, new string([.. name.Select(c => invalid.Contains(c) ? '_' : c)]) + _extension);
    }
}
