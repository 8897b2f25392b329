using System;
using System.Collections.Generic;
using System.IO;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>
/// A file that appears whole or not at all: it is written under a temporary name beside its place and renamed when it
/// is complete.
/// </summary>
internal sealed class OutputFile : IDisposable
{
    private const UnixFileMode ReadAndWrite = (UnixFileMode)0b110_110_110;

    private readonly string _path;

    private readonly bool _keepExisting;

    private readonly PendingFile _file;

    private OutputFile(string path, bool keepExisting)
    {
        _path = path;
        _keepExisting = keepExisting;
        // Who may read a file does not change with its content; a new one is its owner's, as all that comes from a pod
        // is.
        UnixFileMode? mode = OperatingSystem.IsWindows() ? null
            : File.Exists(path) ? File.GetUnixFileMode(path) & ReadAndWrite
            : UnixFileMode.UserRead | UnixFileMode.UserWrite;
        _file = PendingFile.Create(Path.GetDirectoryName(path) ?? "", mode);
    }

    /// <summary>Takes the content.</summary>
    public FileStream Stream => _file.Stream;

    /// <summary>Opens a file for writing.</summary>
    /// <param name="path">The full path; a link is followed.</param>
    /// <param name="noClobber">Whether a file that exists is an error.</param>
    /// <param name="force">Whether a read-only file is replaced.</param>
    /// <exception cref="PyDebugException">The path cannot be written to.</exception>
    public static OutputFile Open(string path, bool noClobber, bool force)
    {
        string place = Resolve(path);
        if (noClobber && Exists(path))
        {
            throw ErrorFactory.Local(LocalCause.DestinationExists, $"'{path}' exists.");
        }

        if (Directory.Exists(place) || IsSpecial(place))
        {
            throw Invalid($"'{path}' is not a regular file.");
        }

        if (!force && File.Exists(place) && File.GetAttributes(place).HasFlag(FileAttributes.ReadOnly))
        {
            throw Invalid($"'{path}' is read-only.", "-Force replaces it.");
        }

        try
        {
            return new OutputFile(place, noClobber);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Explain(e, path);
        }
    }

    private static string Resolve(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget is null
                ? path
                : File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Explain(e, path);
        }
    }

    /// <summary>Gives the file its name.</summary>
    public void Complete() => _file.Publish(_path, replace: !_keepExisting);

    /// <summary>Removes what was not completed.</summary>
    public void Dispose() => _file.Dispose();

    /// <summary>The failure behind an exception of a write.</summary>
    public static PyDebugException Explain(Exception exception, string path)
        => ErrorFactory.IsDiskFull(exception)
            ? ErrorFactory.Local(AgentCause.DiskFull, $"'{path}' was not written: the disk is full.")
            : Invalid($"'{path}' cannot be written: {exception.Message}");

    private static PyDebugException Invalid(
        string message,
        string advice = "Check -Path: the folder must exist and be writable.")
        => ErrorFactory.Local(
            LocalCause.DestinationInvalid,
            message,
            detail: new Dictionary<string, string> { ["advice"] = advice });

    private static bool Exists(string path) => File.Exists(path) || Directory.Exists(path);

    /// <summary>A rename would replace a device with a file.</summary>
    private static bool IsSpecial(string path)
        => path.StartsWith("/dev/", StringComparison.Ordinal) || path.StartsWith("/proc/", StringComparison.Ordinal);
}
