using System;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Reads the agent's frames and proves by the trailer that none is missing or changed.</summary>
internal sealed class FrameReader : IDisposable
{
    private const int LargestKept = 1 << 20;

    private readonly Func<Memory<byte>, CancellationToken, ValueTask<int>> _read;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _header = new byte[Frames.HeaderLength];
    private byte[] _file = [];
    private long _length;

    public FrameReader(Func<Memory<byte>, CancellationToken, ValueTask<int>> read) => _read = read;

    /// <summary>How many frames came.</summary>
    public long Count { get; private set; }

    /// <summary>The next frame; null when the stream ends between two frames or within one.</summary>
    /// <exception cref="EngineException">What came is no frame.</exception>
    public async ValueTask<AgentFrame?> ReadAsync(CancellationToken ct)
    {
        byte[] header = _header;
        if (!await FillAsync(header, ct).ConfigureAwait(false))
        {
            return null;
        }

        int length = BinaryPrimitives.ReadInt32BigEndian(header);
        char kind = (char)header[4];
        if (length is < 0 or > Frames.MaxPayload || !FrameKinds.FromAgent.Contains(kind))
        {
            throw new EngineException(Causes.ProtocolError, "The agent's output is not in its protocol.");
        }

        if (Count == 0 && kind is not (FrameKinds.Hello or FrameKinds.Modules))
        {
            throw new EngineException(Causes.ProtocolError, "The agent's output does not begin as its protocol does.");
        }

        byte[]? payload = kind == FrameKinds.HashedFile && length == _file.Length
            ? await FillAsync(_file, ct).ConfigureAwait(false) ? _file : null
            : await PayloadAsync(length, ct).ConfigureAwait(false);
        if (payload is null)
        {
            return null;
        }

        if (kind != FrameKinds.Trailer)
        {
            _hash.AppendData(header);
            if (kind != FrameKinds.HashedFile)
            {
                _hash.AppendData(payload);
            }
            else if (length <= LargestKept)
            {
                // The parts of a file are of one size but for the last.
                _file = payload;
            }

            _length += header.Length + payload.Length;
        }

        Count++;
        return new AgentFrame { Kind = kind, Payload = payload };
    }

    /// <summary>The exit code that the trailer tells, when its length and hash fit what came.</summary>
    /// <exception cref="EngineException">They do not: the outcome is unknown.</exception>
    public int Verify(byte[] trailer)
    {
        JsonObject? value = KubeJson.ParseObject(trailer);
        long? exit = KubeJson.Integer(value, "exit");
        string hash = Convert.ToHexString(_hash.GetCurrentHash());
        if (exit is null or < 0 or > 255
            || KubeJson.Integer(value, "length") != _length
            || !hash.Equals(KubeJson.Text(value, "sha256"), StringComparison.OrdinalIgnoreCase))
        {
            string sent = KubeJson.Integer(value, "length")?.ToString() ?? "an unknown number";
            throw new EngineException(
                Causes.OutcomeUnknown,
                $"The agent's output is damaged: {_length} bytes came, {sent} were sent.");
        }

        return (int)exit.Value;
    }

    public void Dispose() => _hash.Dispose();

    private async ValueTask<byte[]?> PayloadAsync(int length, CancellationToken ct)
    {
        // The length is the other side's word: memory is taken as the bytes come, not before.
        byte[] payload = new byte[Math.Min(length, 64 << 10)];
        int have = 0;
        while (true)
        {
            if (!await FillAsync(payload.AsMemory(have), ct).ConfigureAwait(false))
            {
                return null;
            }

            have = payload.Length;
            if (have == length)
            {
                return payload;
            }

            Array.Resize(ref payload, (int)Math.Min(length, (long)have * 4));
        }
    }

    private async ValueTask<bool> FillAsync(Memory<byte> buffer, CancellationToken ct)
    {
        while (buffer.Length > 0)
        {
            int read = await _read(buffer, ct).ConfigureAwait(false);
            if (read == 0)
            {
                return false;
            }

            buffer = buffer[read..];
        }

        return true;
    }
}
