using System;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>
/// Reads a small file that another may have chosen. The length is counted while it is read, as that of a device or a
/// pipe is 0, and one that nobody writes to does not hold up the caller for ever.
/// </summary>
internal static class SmallFile
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>The file's bytes.</summary>
    /// <exception cref="UnsuitableFileException">It is larger, or its end did not come within 10 s.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static byte[] Read(string path, int most) => Read(path, most, s_patience);

    /// <summary>The same with another limit of time.</summary>
    public static byte[] Read(string path, int most, TimeSpan patience)
    {
        // A thread of its own, as one that waits to open a pipe without a writer cannot be called back.
        Task<byte[]> work = Task.Factory.StartNew(
            () => ReadAll(path, most), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return Task.WaitAny([work], patience) == 0
            ? work.GetAwaiter().GetResult()
            : throw new UnsuitableFileException($"its end did not come within {patience.TotalSeconds:0} s");
    }

    /// <summary>The file's text, by its byte order mark or as UTF-8.</summary>
    public static string ReadText(string path, int most)
    {
        using StreamReader reader = new(new MemoryStream(Read(path, most)), Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>Why a file could not be read, as the end of a sentence; empty where there is no more to say.</summary>
    public static string Why(Exception e) => e is UnsuitableFileException ? $": {e.Message}" : string.Empty;

    private static byte[] ReadAll(string path, int most)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
        MemoryStream kept = new();
        byte[] buffer = new byte[64 << 10];
        int read;
        while ((read = file.Read(buffer)) > 0)
        {
            if (kept.Length + read > most)
            {
                throw new UnsuitableFileException(
                    most < 1 << 20 ? $"it is larger than {most >> 10} KiB" : $"it is larger than {most >> 20} MiB");
            }

            kept.Write(buffer, 0, read);
        }

        return kept.ToArray();
    }
}
