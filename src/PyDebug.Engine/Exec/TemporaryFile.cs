using System;
using System.IO;

namespace PyDebug.Engine;

/// <summary>
/// Files for what is too large for memory, readable by their owner alone. None outlives this process, however that
/// ends, but what is kept for the user: on Unix a file loses its name at once, on Windows the system removes it with
/// its last handle.
/// </summary>
internal static class TemporaryFile
{
    /// <summary>The room that is left to others on the disk of temporary files, in bytes.</summary>
    public const long Reserve = 256L << 20;

    /// <summary>Makes a file.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public static FileStream Create()
    {
        FileStream file = Open("", OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None);
        if (!OperatingSystem.IsWindows())
        {
            File.Delete(file.Name);
        }

        return file;
    }

    /// <summary>Makes a file that stays, for the user's own eyes.</summary>
    /// <param name="what">What it holds, in its name.</param>
    /// <param name="extension">The end of its name.</param>
    /// <exception cref="IOException">It cannot be made.</exception>
    public static FileStream CreateKept(string what, string extension)
        => Open($"{what}-", FileOptions.None, extension);

    /// <summary>
    /// How many bytes more may be written below a folder so that the reserve stays; null where the system does not say.
    /// </summary>
    /// <param name="folder">The folder; null for that of temporary files.</param>
    public static long? Headroom(string? folder = null)
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

    private static FileStream Open(string what, FileOptions ends, string extension = "")
    {
        FileStreamOptions options = new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = OperatingSystem.IsWindows() ? FileShare.None : FileShare.Delete,
            BufferSize = 0,
            Options = ends,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(Path.Join(Path.GetTempPath(), $"pydebug-{what}{Guid.NewGuid():N}{extension}"), options);
    }
}
