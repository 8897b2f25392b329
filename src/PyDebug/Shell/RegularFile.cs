using System;
using System.IO;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PyDebug.Commands;

/// <summary>Opens files of this machine to be read; a pipe is none, and is not waited for.</summary>
internal static class RegularFile
{
    private const int CloseOnExec = 0x80000;

    private const int NotWaiting = 0x800;

    /// <summary>Opens a file.</summary>
    /// <exception cref="IOException">It is none, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static FileStream Open(string path)
    {
        FileStream file = OperatingSystem.IsLinux() && TryOpen(path) is SafeFileHandle handle
            ? new FileStream(handle, FileAccess.Read, bufferSize: 0)
            : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        if (file.CanSeek)
        {
            return file;
        }

        file.Dispose();
        throw new IOException($"'{path}' is no regular file.");
    }

    /// <summary>Null where the system refuses: opening it in the usual way says why.</summary>
    private static SafeFileHandle? TryOpen(string path)
    {
        int descriptor = Open(path, CloseOnExec | NotWaiting);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    [DllImport("libc", EntryPoint = "open", SetLastError = true, CharSet = CharSet.Ansi)]
    private static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);
}
