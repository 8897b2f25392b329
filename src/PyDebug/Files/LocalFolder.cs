using System;
using System.Collections.Generic;
using System.IO;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>A folder of this machine that files are received in. Nothing is written outside of it.</summary>
/// <param name="path">Its full path.</param>
/// <param name="target">The pod that they come from.</param>
internal sealed class LocalFolder(string path, PodTarget target)
{
    private const UnixFileMode OwnerAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly HashSet<string> _known = [];

    private readonly TreeNames _names = TreeNames.Here();

    private bool _isMade;

    /// <summary>Its full path.</summary>
    public string Path { get; } = path;

    /// <summary>Makes the folder where there is none.</summary>
    /// <exception cref="PyDebugException">It cannot be made.</exception>
    public void Create()
    {
        string? above = System.IO.Path.GetDirectoryName(Path);
        if (above is not null && !Directory.Exists(above))
        {
            throw ErrorFactory.Local(LocalCause.DestinationInvalid, $"There is no folder '{above}'.", target);
        }

        try
        {
            bool isMade = !Directory.Exists(Path);
            Make(Path);
            _isMade = isMade;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ErrorFactory.Local(LocalCause.DestinationInvalid, $"'{Path}' cannot be written: {e.Message}", target);
        }
    }

    /// <summary>Removes the folder where it was made here and has nothing in it.</summary>
    public void Undo()
    {
        try
        {
            if (_isMade)
            {
                Directory.Delete(Path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Why nothing comes matters more.
        }
    }

    /// <summary>The full path of a file below it, whose folders are there then; null where it is left out.</summary>
    /// <param name="below">The path below the folder, with slashes.</param>
    /// <param name="why">Why it is left out.</param>
    public string? Place(string below, out string why)
    {
        why = _names.WhyNot(below) ?? "";
        if (why.Length > 0)
        {
            return null;
        }

        string place = Path;
        string[] parts = below.Split('/');
        try
        {
            foreach (string part in parts[..^1])
            {
                place = System.IO.Path.Join(place, part);
                if (_known.Contains(place))
                {
                    continue;
                }

                if (new DirectoryInfo(place) is { LinkTarget: not null })
                {
                    why = $"'{place}' is a link";
                    return null;
                }

                Make(place);
                _known.Add(place);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            why = e.Message.TrimEnd('.');
            return null;
        }

        return System.IO.Path.Join(place, parts[^1]);
    }

    private static void Make(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, OwnerAlone);
        }
    }
}
