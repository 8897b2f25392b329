using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;

namespace PyDebug.Sandbox.Node;

/// <summary>The mounts of the sandbox's state directory.</summary>
internal static partial class Mounts
{
    private const int Detach = 2;

    /// <summary>Mounts an image's files below a writable layer. False where the kernel refuses overlay here.</summary>
    public static bool TryOverlay(string lower, string upper, string work, string target)
    {
        string options = $"lowerdir={Escape(lower)},upperdir={Escape(upper)},workdir={Escape(work)}";
        return Mount("overlay", target, "overlay", 0, options) == 0;
    }

    /// <summary>Mounts an empty file system in memory.</summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static void Tmpfs(string target, string options)
    {
        if (Mount("tmpfs", target, "tmpfs", 0, options) != 0)
        {
            string why = new Win32Exception(Marshal.GetLastPInvokeError()).Message;
            throw new IOException($"mount tmpfs on {target}: {why}");
        }
    }

    public static void Unmount(string target)
    {
        _ = Unmount2(target, Detach);
    }

    /// <summary>Unmounts everything below a directory, innermost first.</summary>
    public static void UnmountBelow(string directory)
    {
        string prefix = directory.TrimEnd('/') + "/";
        IEnumerable<string> targets = File.ReadLines("/proc/self/mounts")
            .Select(line => Unescape(line.Split(' ')[1]))
            .Where(target => target.StartsWith(prefix, StringComparison.Ordinal))
            .Reverse().ToList();
        foreach (string target in targets)
        {
            Unmount(target);
        }
    }

    private static string Escape(string path) =>
        path.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(",", "\\,", StringComparison.Ordinal)
            .Replace(":", "\\:", StringComparison.Ordinal);

    private static string Unescape(string path) =>
        path.Replace("\\040", " ", StringComparison.Ordinal).Replace("\\134", "\\", StringComparison.Ordinal);

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Mount(string source, string target, string type, nuint flags, string data);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Unmount2(string target, int flags);
}
