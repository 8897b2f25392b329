using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>
/// A queue of bytes whose writer never waits: what the reader leaves lying goes from memory to temporary files, one
/// after another, each of which goes away once it was read. The socket must be drained at once, since the server loses
/// data of a client that is slow.
/// </summary>
internal sealed class SpillQueue : IDisposable
{
    /// <summary>How much is written before the room on the disk is looked at again.</summary>
    private const long LookEvery = 16L << 20;

    private const int BlockSize = 64 << 10;

    /// <summary>A reader of many bytes is woken for so many at once.</summary>
    private const int Batch = 128 << 10;

    private readonly object _lock = new();
    private readonly Queue<Block> _blocks = new();
    private readonly Stack<Block> _spare = new();
    private readonly Queue<Segment> _segments = new();
    private readonly long _memoryLimit;
    private readonly long _fileLimit;
    private readonly long _segmentSize;
    private readonly Func<long?> _headroom;
    private TaskCompletionSource? _filled;
    private TaskCompletionSource? _emptied;
    private Block? _open;
    private Segment? _last;
    private long _takenAt = Stopwatch.GetTimestamp();
    private long _wanted;
    private long _inMemory;
    private long _onDisk;
    private long _sinceLook = long.MaxValue;
    private bool _completed;
    private Exception? _failure;

    public SpillQueue(
        long memoryLimit = 4 << 20,
        long fileLimit = 8L << 30,
        long segmentSize = 64L << 20,
        Func<long?>? headroom = null)
    {
        _memoryLimit = memoryLimit;
        _fileLimit = fileLimit;
        _segmentSize = segmentSize;
        _headroom = headroom ?? (() => TemporaryFile.Headroom());
    }

    /// <summary>How many bytes are on disk and not read yet, or in a file that is not read to its end.</summary>
    internal long OnDisk
    {
        get
        {
            lock (_lock)
            {
                long size = 0;
                foreach (Segment segment in _segments)
                {
                    size += segment.Written;
                }

                return size;
            }
        }
    }

    /// <summary>Adds bytes. Files are only used while memory is full or they still hold older bytes.</summary>
    /// <exception cref="EngineException">There is no room for them.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return;
        }

        lock (_lock)
        {
            if (_completed)
            {
                return;
            }

            if (_segments.Count > 0 || _inMemory + bytes.Length > _memoryLimit)
            {
                Spill(bytes);
            }
            else
            {
                Keep(bytes);
            }

            if (_inMemory + _onDisk >= _wanted)
            {
                Signal(ref _filled);
            }
        }
    }

    /// <summary>
    /// Waits until there is room in memory for so many bytes, as long as the reader takes something now and then.
    /// </summary>
    /// <param name="bytes">What comes next.</param>
    /// <param name="patience">How long a reader that takes nothing is waited for.</param>
    /// <param name="ct">Stops it.</param>
    public async ValueTask WaitForSpaceAsync(int bytes, TimeSpan patience, CancellationToken ct)
    {
        while (true)
        {
            Task emptied;
            TimeSpan left;
            lock (_lock)
            {
                left = patience - Stopwatch.GetElapsedTime(_takenAt);
                if (_completed || left <= TimeSpan.Zero || (_segments.Count == 0 && _inMemory + bytes <= _memoryLimit))
                {
                    return;
                }

                _emptied ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
                emptied = _emptied.Task;
            }

            try
            {
                await emptied.WaitAsync(left, ct).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                return;
            }
        }
    }

    /// <summary>Ends the queue; the reader gets the failure after the last byte.</summary>
    public void Complete(Exception? failure = null)
    {
        lock (_lock)
        {
            if (!_completed)
            {
                _completed = true;
                _failure = failure;
                Signal(ref _filled);
                Signal(ref _emptied);
            }
        }
    }

    /// <summary>Takes bytes as they come; 0 at the end.</summary>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken ct) => ReadAsync(buffer, 1, ct);

    /// <summary>
    /// Takes bytes once the buffer, or a good part of a large one, can be filled; fewer at the end alone.
    /// </summary>
    public ValueTask<int> ReadManyAsync(Memory<byte> buffer, CancellationToken ct)
        => ReadAsync(buffer, Math.Min(buffer.Length, Batch), ct);

    private async ValueTask<int> ReadAsync(Memory<byte> buffer, int least, CancellationToken ct)
    {
        int taken = 0;
        while (true)
        {
            Task filled;
            lock (_lock)
            {
                int some;
                while (taken < buffer.Length && (some = Take(buffer.Span[taken..])) > 0)
                {
                    taken += some;
                    _takenAt = Stopwatch.GetTimestamp();
                }

                Signal(ref _emptied);
                if (taken >= least || (_completed && taken > 0))
                {
                    return taken;
                }

                if (_completed)
                {
                    return _failure is null ? 0 : throw _failure;
                }

                _wanted = least - taken;
                _filled ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
                filled = _filled.Task;
            }

            await filled.WaitAsync(ct).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _completed = true;
            _blocks.Clear();
            _spare.Clear();
            _open = null;
            _onDisk = 0;
            while (_segments.TryDequeue(out Segment? segment))
            {
                segment.Dispose();
            }

            _last = null;
            Signal(ref _filled);
            Signal(ref _emptied);
        }
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        _inMemory += bytes.Length;
        while (!bytes.IsEmpty)
        {
            if (_open is null || _open.IsFull)
            {
                _open = _spare.TryPop(out Block? spare) ? spare : new Block();
                _blocks.Enqueue(_open);
            }

            bytes = bytes[_open.Write(bytes)..];
        }
    }

    private void Spill(ReadOnlySpan<byte> bytes)
    {
        if (_onDisk + bytes.Length > _fileLimit)
        {
            throw new EngineException(
                Causes.LimitExceeded, $"More than {_fileLimit >> 20} MiB of the agent's output wait to be read.");
        }

        if (_sinceLook >= LookEvery)
        {
            if (_headroom() is long headroom && headroom < Math.Max(bytes.Length, LookEvery))
            {
                throw new EngineException(
                    Causes.LimitExceeded,
                    $"What the agent sends and nobody has read yet does not fit on the disk of temporary files "
                    + $"({_onDisk >> 20} MiB of it are there, and {headroom >> 20} MiB may be added).");
            }

            _sinceLook = 0;
        }

        try
        {
            if (_last is null || _last.Written >= _segmentSize)
            {
                _last = new Segment(TemporaryFile.Create());
                _segments.Enqueue(_last);
            }

            _last.Write(bytes);
            _onDisk += bytes.Length;
            _sinceLook += bytes.Length;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new EngineException(
                Causes.OutcomeUnknown, "The agent's output could not be kept in a temporary file.", e);
        }
    }

    private int Take(Span<byte> buffer)
    {
        if (_blocks.TryPeek(out Block? block))
        {
            int count = block.Read(buffer);
            _inMemory -= count;
            if (block.IsRead)
            {
                _blocks.Dequeue();
                _open = ReferenceEquals(block, _open) ? null : _open;
                block.Clear();
                _spare.Push(block);
            }

            return count;
        }

        if (!_segments.TryPeek(out Segment? segment))
        {
            return 0;
        }

        int fromFile = segment.Read(buffer);
        _onDisk -= fromFile;
        if (segment.IsRead)
        {
            _segments.Dequeue().Dispose();
            _last = ReferenceEquals(segment, _last) ? null : _last;
        }

        return fromFile;
    }

    /// <summary>Tells whoever waits. Nobody waits as a rule while both sides are at work.</summary>
    private static void Signal(ref TaskCompletionSource? waiting)
    {
        TaskCompletionSource? told = waiting;
        waiting = null;
        told?.TrySetResult();
    }

    /// <summary>Bytes in memory, written once and read once, and then used again.</summary>
    private sealed class Block
    {
        private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(BlockSize);
        private int _written;
        private int _read;

        public bool IsFull => _written == _bytes.Length;

        public bool IsRead => _read == _written;

        public int Write(ReadOnlySpan<byte> bytes)
        {
            int count = Math.Min(bytes.Length, _bytes.Length - _written);
            bytes[..count].CopyTo(_bytes.AsSpan(_written));
            _written += count;
            return count;
        }

        public int Read(Span<byte> buffer)
        {
            int count = Math.Min(buffer.Length, _written - _read);
            _bytes.AsSpan(_read, count).CopyTo(buffer);
            _read += count;
            return count;
        }

        public void Clear() => _written = _read = 0;
    }

    /// <summary>A file that is written once and read once.</summary>
    private sealed class Segment(FileStream file) : IDisposable
    {
        private long _read;

        public long Written { get; private set; }

        public bool IsRead => _read == Written;

        public void Write(ReadOnlySpan<byte> bytes)
        {
            file.Position = Written;
            file.Write(bytes);
            Written += bytes.Length;
        }

        public int Read(Span<byte> buffer)
        {
            file.Position = _read;
            int count = file.Read(buffer[..(int)Math.Min(buffer.Length, Written - _read)]);
            _read += count;
            return count;
        }

        public void Dispose() => file.Dispose();
    }
}
