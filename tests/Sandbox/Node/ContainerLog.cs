using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Sandbox.Node;

/// <summary>What a container wrote, by line, at most the newest 16 MiB of it.</summary>
internal sealed class ContainerLog
{
    private const int Capacity = 16 * 1024 * 1024;
    private const int LongestLine = 16 * 1024;

    private readonly Lock _lock = new();
    private readonly List<LogLine> _lines = [];
    private long _first;
    private long _size;
    private bool _ended;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Reads one of the container's streams to its end.</summary>
    public async Task CaptureAsync(Stream source, string stream)
    {
        byte[] buffer = new byte[LongestLine];
        int filled = 0;
        while (true)
        {
            int read = await source.ReadAsync(buffer.AsMemory(filled)).ConfigureAwait(false);
            filled += read;
            int start = 0;
            for (int end = Array.IndexOf(buffer, (byte)'\n', 0, filled); end >= 0;
                end = Array.IndexOf(buffer, (byte)'\n', start, filled - start))
            {
                Append(stream, buffer[start..(end + 1)]);
                start = end + 1;
            }

            if (filled > start && (read == 0 || (start == 0 && filled == buffer.Length)))
            {
                Append(stream, buffer[start..filled]);
                start = filled;
            }

            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
            if (read == 0)
            {
                return;
            }
        }
    }

    /// <summary>Marks the end: followers finish.</summary>
    public void End()
    {
        lock (_lock)
        {
            _ended = true;
            _changed.TrySetResult();
        }
    }

    /// <summary>
    /// Lines from a position on, the position after them, whether more can come, and a task that ends when it does.
    /// </summary>
    public (IReadOnlyList<LogLine> Lines, long Next, bool Ended, Task Changed) Read(long from)
    {
        lock (_lock)
        {
            int skipped = (int)Math.Clamp(from - _first, 0, _lines.Count);
            List<LogLine> lines = _lines.GetRange(skipped, _lines.Count - skipped);
            return (lines, _first + _lines.Count, _ended, _changed.Task);
        }
    }

    private void Append(string stream, byte[] bytes)
    {
        lock (_lock)
        {
            _lines.Add(new LogLine(DateTime.UtcNow, stream, bytes));
            _size += bytes.Length;
            if (_size > Capacity)
            {
                int oldest = (_lines.Count / 4) + 1;
                _size -= _lines.Take(oldest).Sum(line => (long)line.Bytes.Length);
                _lines.RemoveRange(0, oldest);
                _first += oldest;
            }

            TaskCompletionSource changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            changed.TrySetResult();
        }
    }
}
