using System;
using System.Buffers.Binary;

namespace PyDebug.Engine;

/// <summary>The layout of a frame: length of the payload (4 bytes, big-endian), letter, payload.</summary>
internal static class Frames
{
    public const int HeaderLength = 5;
    public const int MaxPayload = 16 << 20;

    /// <summary>Longest payload of a data frame: with header and channel byte it fits one message.</summary>
    public const int MaxData = ExecChannels.MaxMessage - HeaderLength - 1;

    public static byte[] Encode(char kind, ReadOnlySpan<byte> payload = default)
    {
        byte[] frame = new byte[HeaderLength + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length);
        frame[4] = (byte)kind;
        payload.CopyTo(frame.AsSpan(HeaderLength));
        return frame;
    }
}
