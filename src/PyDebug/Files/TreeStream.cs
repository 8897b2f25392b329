using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Commands;

/// <summary>
/// Files in one stream, as the agent takes them: for each the length of a JSON object (4 bytes, big-endian), the object
/// (path, size, offset, mtime in ns), the bytes from the offset on, and the SHA-256 of the whole file.
/// </summary>
/// <param name="files">The files.</param>
/// <param name="first">The one that it begins with.</param>
/// <param name="have">How many bytes of that one are there already.</param>
/// <param name="sha256">Their SHA-256; where it is another one here, the file is sent from its beginning.</param>
/// <param name="onBytes">Hears of every byte of a file, and whose it is.</param>
/// <param name="onLost">Hears of a file that cannot be read, and why.</param>
internal sealed class TreeStream(
    IReadOnlyList<SentFile> files,
    int first,
    long have,
    string? sha256,
    Action<long, string> onBytes,
    Action<string, string> onLost) : Stream
{
    private const int HashLength = 32;

    private const int Buffer = 1 << 16;

    private const long TicksToNanoseconds = 100;

    private int _begun;

    private byte[] _pending = [];

    private int _offset;

    private FileStream? _file;

    private IncrementalHash? _hash;

    private long _left;

    private DateTime _written;

    private bool _changed;

    private bool _ended;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_offset == _pending.Length && _left == 0 && !_ended)
        {
            if (_file is not null)
            {
                End();
            }
            else
            {
                await BeginAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        if (_offset < _pending.Length)
        {
            int count = Math.Min(buffer.Length, _pending.Length - _offset);
            _pending.AsMemory(_offset, count).CopyTo(buffer);
            _offset += count;
            return count;
        }

        return _left == 0 ? 0 : await TakeAsync(buffer, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
        => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    /// <inheritdoc/>
    public override void Flush() => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        Close(ref _file);
        _hash?.Dispose();
        base.Dispose(disposing);
    }

    private async Task BeginAsync(CancellationToken ct)
    {
        int number = first + _begun;
        if (number == files.Count)
        {
            Put(new byte[4]);
            _ended = true;
            return;
        }

        _begun++;
        SentFile file = files[number];
        try
        {
            _file = RegularFile.Open(file.Full);
            _written = File.GetLastWriteTimeUtc(_file.SafeFileHandle);
            long size = _file.Length;
            long offset = number == first && have > 0 ? await SkipAsync(size, ct).ConfigureAwait(false) : 0;
            _hash ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            _left = size - offset;
            _changed = false;
            Put(Head(file.Path, size, offset));
        }
        catch (Exception e) when ((e is IOException or UnauthorizedAccessException) && file.Path.Length > 0)
        {
            Close(ref _file);
            onLost(file.Path, e.Message.TrimEnd('.'));
        }
    }

    /// <summary>Goes behind what is there already, where that is what the file begins with.</summary>
    private async Task<long> SkipAsync(long size, CancellationToken ct)
    {
        IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[Buffer];
        long at = 0;
        while (at < have && have <= size)
        {
            int read = await _file!.ReadAsync(
                buffer.AsMemory(0, (int)Math.Min(Buffer, have - at)), ct).ConfigureAwait(false);
            if (read == 0)
            {
                break;
            }

            hash.AppendData(buffer, 0, read);
            at += read;
        }

        if (at == have && Convert.ToHexString(hash.GetCurrentHash()).Equals(sha256, StringComparison.OrdinalIgnoreCase))
        {
            _hash = hash;
            return have;
        }

        hash.Dispose();
        _file!.Position = 0;
        return 0;
    }

    private async Task<int> TakeAsync(Memory<byte> buffer, CancellationToken ct)
    {
        buffer = buffer[..(int)Math.Min(buffer.Length, _left)];
        int read = 0;
        try
        {
            read = await _file!.ReadAsync(buffer, ct).ConfigureAwait(false);
        }
        catch (IOException)
        {
        }

        if (read == 0)
        {
            // It shrank, or cannot be read: so many bytes were announced, and the hash says that they are none of it.
            buffer.Span.Clear();
            read = buffer.Length;
            _changed = true;
        }

        _hash!.AppendData(buffer.Span[..read]);
        _left -= read;
        onBytes(read, files[first + _begun - 1].Path);
        return read;
    }

    private void End()
    {
        _changed |= File.GetLastWriteTimeUtc(_file!.SafeFileHandle) != _written;
        byte[] hash = _hash!.GetHashAndReset();
        _hash.Dispose();
        _hash = null;
        Put(_changed ? new byte[HashLength] : hash);
        Close(ref _file);
    }

    private byte[] Head(string path, long size, long offset)
    {
        byte[] text = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["path"] = path,
            ["size"] = size,
            ["offset"] = offset,
            ["mtime"] = Math.Max(0, (_written - DateTime.UnixEpoch).Ticks * TicksToNanoseconds),
        }.ToJsonString());
        byte[] head = new byte[4 + text.Length];
        BinaryPrimitives.WriteInt32BigEndian(head, text.Length);
        text.CopyTo(head, 4);
        return head;
    }

    private void Put(byte[] bytes)
    {
        _pending = bytes;
        _offset = 0;
    }

    private static void Close(ref FileStream? file)
    {
        file?.Dispose();
        file = null;
    }
}
