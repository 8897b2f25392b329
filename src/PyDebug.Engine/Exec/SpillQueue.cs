using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>
/// A queue of bytes whose writer never waits: what the reader leaves lying goes from memory to a temporary file. The
/// socket must be drained at once, since the server loses data of a client that is slow.
/// </summary>
internal sealed class SpillQueue : IDisposable
{
    private readonly object _lock = new();
    private readonly Queue<byte[]> _chunks = new();
    private readonly long _memoryLimit;
    private readonly long _fileLimit;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _offset;
    private long _inMemory;
    private FileStream? _file;
    private long _written;
    private long _read;
    private bool _completed;
    private Exception? _failure;

    public SpillQueue(long memoryLimit = 4 << 20, long fileLimit = 8L << 30)
    {
        _memoryLimit = memoryLimit;
        _fileLimit = fileLimit;
    }

    /// <summary>Adds bytes. The file is only used while memory is full or it still holds older bytes.</summary>
    /// <exception cref="EngineException">The temporary file cannot take them.</exception>
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

            if (_written > _read || _inMemory + bytes.Length > _memoryLimit)
            {
                Spill(bytes);
            }
            else
            {
                _chunks.Enqueue(bytes.ToArray());
                _inMemory += bytes.Length;
            }

            Signal();
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
                Signal();
            }
        }
    }

    /// <summary>Takes bytes as they come; 0 at the end.</summary>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken ct)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                int taken = Take(buffer.Span);
                if (taken > 0)
                {
                    return taken;
                }

                if (_completed)
                {
                    return _failure is null ? 0 : throw _failure;
                }

                changed = _changed.Task;
            }

            await changed.WaitAsync(ct).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _completed = true;
            _chunks.Clear();
            _written = _read = 0;
            _file?.Dispose();
            _file = null;
            Signal();
        }
    }

    private static FileStream CreateFile()
    {
        FileStreamOptions options = new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = 0,
            Options = FileOptions.DeleteOnClose,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(Path.Join(Path.GetTempPath(), $"pydebug-{Guid.NewGuid():N}"), options);
    }

    private void Spill(ReadOnlySpan<byte> bytes)
    {
        if (_written - _read + bytes.Length > _fileLimit)
        {
            throw new EngineException(
                Causes.OutcomeUnknown, $"More than {_fileLimit >> 20} MiB of the agent's output wait to be read.");
        }

        try
        {
            _file ??= CreateFile();
            _file.Position = _written;
            _file.Write(bytes);
            _written += bytes.Length;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new EngineException(
                Causes.OutcomeUnknown, "The agent's output could not be kept in a temporary file.", e);
        }
    }

    private int Take(Span<byte> buffer)
    {
        if (_chunks.TryPeek(out byte[]? chunk))
        {
            int count = Math.Min(buffer.Length, chunk.Length - _offset);
            chunk.AsSpan(_offset, count).CopyTo(buffer);
            _offset += count;
            if (_offset == chunk.Length)
            {
                _chunks.Dequeue();
                _inMemory -= chunk.Length;
                _offset = 0;
            }

            return count;
        }

        if (_file is null || _written == _read)
        {
            return 0;
        }

        _file.Position = _read;
        int fromFile = _file.Read(buffer[..(int)Math.Min(buffer.Length, _written - _read)]);
        _read += fromFile;
        if (_read == _written)
        {
            _file.SetLength(0);
            _written = _read = 0;
        }

        return fromFile;
    }

    private void Signal()
    {
        TaskCompletionSource changed = _changed;
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.TrySetResult();
    }
}
