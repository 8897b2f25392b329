using System;
using System.Buffers.Binary;
using System.Threading;

namespace PyDebug.Engine;

/// <summary>
/// Follows the agent's frames while they arrive, however late they are read, and knows when the last one is there: from
/// then on the answer is complete, and no clock may throw it away.
/// </summary>
internal sealed class TrailerWatch
{
    private readonly byte[] _header = new byte[Frames.HeaderLength];
    private int _have;
    private long _left;
    private bool _lost;
    private volatile bool _complete;

    /// <summary>Whether the whole trailer is there. Whether it is right is seen when it is read.</summary>
    public bool IsComplete => _complete;

    /// <summary>Whether the agent has sent anything.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Whether what came last belongs to a file: its bytes may wait for whoever writes them.</summary>
    public bool IsInFile => _header[4] is (byte)FrameKinds.File or (byte)FrameKinds.HashedFile;

    /// <summary>Takes the next bytes of the agent's output.</summary>
    public void Take(ReadOnlySpan<byte> bytes)
    {
        HasBegun |= bytes.Length > 0;
        while (bytes.Length > 0 && !_lost && !_complete)
        {
            if (_left > 0)
            {
                int part = (int)Math.Min(_left, bytes.Length);
                bytes = bytes[part..];
                _left -= part;
            }
            else
            {
                int part = Math.Min(_header.Length - _have, bytes.Length);
                bytes[..part].CopyTo(_header.AsSpan(_have));
                bytes = bytes[part..];
                _have += part;
                if (_have < _header.Length)
                {
                    return;
                }

                _left = BinaryPrimitives.ReadInt32BigEndian(_header);
                _lost = _left is < 0 or > Frames.MaxPayload;
            }

            if (_left == 0 && _have == _header.Length)
            {
                _complete = _header[4] == FrameKinds.Trailer;
                _have = 0;
            }
        }
    }
}
