using System;
using System.Text;

namespace PyDebug.Engine;

/// <summary>Keeps the last bytes of a stream.</summary>
internal sealed class TailBuffer
{
    private readonly object _lock = new();
    private readonly byte[] _ring;
    private long _count;

    public TailBuffer(int capacity) => _ring = new byte[capacity];

    public void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            foreach (byte b in bytes)
            {
                _ring[_count++ % _ring.Length] = b;
            }
        }
    }

    public byte[] ToArray()
    {
        lock (_lock)
        {
            int kept = (int)Math.Min(_count, _ring.Length);
            byte[] bytes = new byte[kept];
            for (int i = 0; i < kept; i++)
            {
                bytes[i] = _ring[(_count - kept + i) % _ring.Length];
            }

            return bytes;
        }
    }

    public override string ToString() => Encoding.UTF8.GetString(ToArray());
}
