using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Threading.Tasks;
using Microsoft.Win32.SafeHandles;

namespace PyDebug.Commands;

/// <summary>
/// A file that is being written and gets its name when it is whole. On Linux it has none before, where the file system
/// allows that (O_TMPFILE): whatever ends this process, nothing of it stays. Elsewhere it has a temporary name.
/// </summary>
internal sealed class PendingFile : IDisposable
{
    private const int OpenReadWrite = 0x2;

    private const int OpenCloseOnExec = 0x80000;

    private const int OpenUnnamed = 0x400000;

    private const int CurrentFolder = -100;

    private const int FollowLink = 0x400;

    private const UnixFileMode Everybody = (UnixFileMode)0b110_110_110;

    private readonly string _folder;

    private string? _temporary;

    private Task _flushing = Task.CompletedTask;

    private PendingFile(string folder, FileStream stream, string? temporary)
    {
        _folder = folder;
        _temporary = temporary;
        Stream = stream;
    }

    /// <summary>Takes the content.</summary>
    public FileStream Stream { get; }

    /// <summary>Whether it has no name yet, so that it ends with this process.</summary>
    public bool IsNameless => _temporary is null;

    /// <summary>Makes a file.</summary>
    /// <param name="folder">The folder that it will be in.</param>
    /// <param name="mode">Who may do what with it; null for whoever the process's mask lets.</param>
    /// <exception cref="IOException">It cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be made.</exception>
    public static PendingFile Create(string folder, UnixFileMode? mode)
    {
        if (Unnamed(folder, mode ?? Everybody) is SafeFileHandle handle)
        {
            return new PendingFile(folder, new FileStream(handle, FileAccess.ReadWrite), temporary: null);
        }

        string path = TemporaryName(folder);
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = mode;
        }

        return new PendingFile(folder, new FileStream(path, options), path);
    }

    /// <summary>
    /// Has the system write what is there to the disk while more of it comes, so that little is left for the end. A
    /// failure is told when the file gets its name.
    /// </summary>
    public void FlushBehind()
    {
        // Windows lets one handle do one thing at a time.
        if (_flushing.IsCompletedSuccessfully && !OperatingSystem.IsWindows())
        {
            SafeFileHandle handle = Stream.SafeFileHandle;
            _flushing = Task.Run(() => RandomAccess.FlushToDisk(handle));
        }
    }

    /// <summary>Gives the file its name, once all of it is on the disk.</summary>
    /// <param name="path">The full path.</param>
    /// <param name="replace">Whether a file of that name is replaced.</param>
    /// <param name="modified">When it was written to last, as it will say; null for now.</param>
    /// <exception cref="IOException">The name is taken, or cannot be given.</exception>
    public void Publish(string path, bool replace, DateTime? modified = null)
    {
        // The system tells of what could not be written once.
        _flushing.GetAwaiter().GetResult();
        Stream.Flush();
        if (modified is DateTime time)
        {
            File.SetLastWriteTimeUtc(Stream.SafeFileHandle, time);
        }

        Stream.Flush(flushToDisk: true);
        if (_temporary is null)
        {
            // A link never replaces what is there; what it is to replace, a rename does.
            string name = replace ? TemporaryName(_folder) : path;
            string descriptor = $"/proc/self/fd/{Stream.SafeFileHandle.DangerousGetHandle()}";
            if (LinkAt(CurrentFolder, descriptor, CurrentFolder, name, FollowLink) != 0)
            {
                throw new IOException($"It cannot get its name ({Marshal.GetLastPInvokeErrorMessage()}).");
            }

            _temporary = replace ? name : null;
        }

        Stream.Dispose();
        if (_temporary is string temporary)
        {
            File.Move(temporary, path, replace);
            _temporary = null;
        }
    }

    /// <summary>Removes what got no name.</summary>
    public void Dispose()
    {
        // What it still meets is of a file that nobody gets.
        _ = _flushing.ContinueWith(t => t.Exception, TaskScheduler.Default);
        try
        {
            Stream.Dispose();
        }
        catch (IOException)
        {
            // A full disk was told of by the write that met it.
        }
        finally
        {
            if (_temporary is string temporary)
            {
                Remove(temporary);
            }
        }
    }

    private static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What hindered the file hinders its removal, and was told of.
        }
    }

    private static string TemporaryName(string folder) => Path.Join(folder, $".{Guid.NewGuid():n}.pydebug");

    private static SafeFileHandle? Unnamed(string folder, UnixFileMode mode)
    {
        // The flag for a folder is another one on each machine.
        int folderFlag = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => 0x10000,
            Architecture.Arm64 => 0x4000,
            _ => 0,
        };
        if (!OperatingSystem.IsLinux() || folderFlag == 0 || !Directory.Exists("/proc/self/fd"))
        {
            return null;
        }

        int descriptor = Open(folder, OpenUnnamed | folderFlag | OpenReadWrite | OpenCloseOnExec, (int)mode);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    [DllImport("libc", EntryPoint = "open", SetLastError = true, CharSet = CharSet.Ansi)]
    private static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, int mode);

    [DllImport("libc", EntryPoint = "linkat", SetLastError = true, CharSet = CharSet.Ansi)]
    private static extern int LinkAt(
        int oldFolder,
        [MarshalAs(UnmanagedType.LPUTF8Str)] string oldPath,
        int newFolder,
        [MarshalAs(UnmanagedType.LPUTF8Str)] string newPath,
        int flags);
}
