using System;
using System.IO;

namespace PyDebug.Tools.Memray;

/// <summary>
/// Looks at a file that should be a capture before it is sent anywhere. memray writes its own form, or, when it ends by
/// itself, packs that in one LZ4 frame (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md).
/// </summary>
internal static class MemrayFile
{
    private const byte HasChecksum = 0x04;

    private static readonly byte[] s_packed = [0x04, 0x22, 0x4d, 0x18];

    private static readonly byte[] s_own = "memray\0"u8.ToArray();

    /// <summary>Why it can be no whole capture, as the end of a sentence; null where it may be one.</summary>
    public static string? WhyNone(Stream file)
    {
        if (file.Length == 0)
        {
            return "is empty: tracking never ended. With -Aggregate memray writes at the end alone, and a process that "
                + "is killed writes nothing.";
        }

        byte[] head = Read(file, 0, s_own.Length);
        if (head.AsSpan().StartsWith(s_packed))
        {
            return IsPackedWhole(file, head) ? null : "is cut: what memray packed when it ended has no end.";
        }

        return s_own.AsSpan().StartsWith(head)
            ? head.Length < s_own.Length ? "is cut: it is shorter than a capture's head." : null
            : "is no capture: it does not begin as memray's do.";
    }

    /// <summary>
    /// Whether the frame's end mark, four zeros, is where the file ends, before its checksum if it has one.
    /// </summary>
    private static bool IsPackedWhole(Stream file, byte[] head)
    {
        bool hasChecksum = head.Length > s_packed.Length && (head[s_packed.Length] & HasChecksum) != 0;
        byte[] mark = Read(file, file.Length - (hasChecksum ? 8 : 4), 4);
        return mark.Length == 4 && mark.AsSpan().IndexOfAnyExcept((byte)0) < 0;
    }

    private static byte[] Read(Stream file, long place, int length)
    {
        file.Position = Math.Max(0, place);
        byte[] bytes = new byte[length];
        return bytes[..file.ReadAtLeast(bytes, length, throwOnEndOfStream: false)];
    }
}
