using System;
using System.IO;

namespace PyDebug.Engine;

/// <summary>
/// Files for what is too large for memory, readable by their owner alone. No file outlives this process, however that
/// ends: on Unix it loses its name at once, on Windows the system removes it with its last handle.
/// </summary>
internal static class TemporaryFile
{
    /// <summary>The room that is left to others on the disk of temporary files, in bytes.</summary>
    public const long Reserve = 256L << 20;

    /// <summary>Makes a file.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public static FileStream Create()
    {
        string path = Path.Join(Path.GetTempPath(), $"pydebug-{Guid.NewGuid():N}");
        FileStreamOptions options = new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = OperatingSystem.IsWindows() ? FileShare.None : FileShare.Delete,
            BufferSize = 0,
            Options = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        FileStream file = new(path, options);
        if (!OperatingSystem.IsWindows())
        {
            File.Delete(path);
        }

        return file;
    }

    /// <summary>
    /// How many bytes more may be written below a folder so that the reserve stays; null where the system does not say.
    /// </summary>
    /// <param name="folder">The folder; null for that of temporary files.</param>
    public static long? Room(string? folder = null)
    {
        try
        {
            DriveInfo drive = new(folder ?? Path.GetTempPath());
            return Math.Max(0, drive.AvailableFreeSpace - Math.Min(Reserve, drive.TotalSize / 20));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }
}
