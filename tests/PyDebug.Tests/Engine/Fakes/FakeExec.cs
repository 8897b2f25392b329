using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;

namespace PyDebug.Tests.Engine;

/// <summary>The far side of an exec: channels, and the agent's protocol over them.</summary>
internal sealed class FakeExec
{
    private readonly Queue<byte> _input = new();
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _sent;

    public FakeExec(FakeRequest request, FakeConnection connection)
    {
        Request = request;
        Connection = connection;
    }

    public FakeRequest Request { get; }

    public FakeConnection Connection { get; }

    /// <summary>Longest message in either direction so far.</summary>
    public int LongestMessage { get; private set; }

    /// <summary>Names of the modules that were sent.</summary>
    public List<string> Modules { get; } = [];

    /// <summary>What the agent was told before its modules.</summary>
    public string Header { get; private set; } = "";

    /// <summary>How many bytes of output one message carries.</summary>
    public int MessageSize { get; init; } = 32 << 10;

    public Task SendAsync(byte channel, byte[] data) => Connection.WriteFrameAsync([channel, .. data]);

    public async Task SendOutputAsync(byte[] data)
    {
        for (int i = 0; i < data.Length; i += MessageSize)
        {
            await SendAsync(1, data[i..Math.Min(data.Length, i + MessageSize)]);
        }
    }

    public Task SendStatusAsync(string json = "{\"metadata\":{},\"status\":\"Success\"}")
        => SendAsync(3, Encoding.UTF8.GetBytes(json));

    public Task SendCloseAsync() => Connection.WriteFrameAsync([3, 232], opcode: 8);

    /// <summary>Takes the agent's source and the request, as the boot program would.</summary>
    public async Task<JsonObject> BootAsync()
    {
        await ReadBlockAsync();
        Header = await ReadBlockAsync();
        NoteModules(await ReadBlockAsync());
        NoteModules(await ReadBlockAsync());
        (char kind, byte[] payload) = await ReadFrameAsync();
        return kind == 'Q' ? JsonNode.Parse(payload)!.AsObject() : throw new InvalidDataException($"frame {kind}");
    }

    /// <summary>The next frame that is no keep-alive.</summary>
    public async Task<(char Kind, byte[] Payload)> ReadFrameAsync()
    {
        while (true)
        {
            (char kind, byte[] payload) = await ReadAnyAsync();
            if (kind != 'K')
            {
                return (kind, payload);
            }
        }
    }

    /// <summary>The next frame.</summary>
    public async Task<(char Kind, byte[] Payload)> ReadAnyAsync()
    {
        int length = await LengthAsync();
        char kind = (char)(await ReadAsync(1))[0];
        return (kind, await ReadAsync(length));
    }

    public Task SendFrameAsync(char kind, JsonObject content)
        => SendFrameAsync(kind, Encoding.UTF8.GetBytes(content.ToJsonString()));

    public async Task SendFrameAsync(char kind, byte[] payload)
    {
        byte[] frame = Frame(kind, payload);
        _hash.AppendData(kind == 'G' ? frame.AsSpan(0, 5) : frame);
        _sent += frame.Length;
        await SendOutputAsync(frame);
    }

    public static byte[] Frame(char kind, byte[] payload)
        =>
        [
            .. BitConverter.GetBytes(System.Net.IPAddress.HostToNetworkOrder(payload.Length)), (byte)kind, .. payload,
        ];

    public Task HelloAsync()
        => SendFrameAsync('H', new JsonObject { ["v"] = 1, ["python"] = "3.13.5", ["memory"] = new JsonObject() });

    /// <summary>Sends the trailer, waits for the acknowledgement and ends like a good agent.</summary>
    public async Task FinishAsync(int exit = 0)
    {
        await SendTrailerAsync(exit);
        if ((await ReadFrameAsync()).Kind != 'A')
        {
            throw new InvalidDataException("no acknowledgement");
        }

        await SendStatusAsync();
        await SendCloseAsync();
    }

    public Task SendTrailerAsync(int exit = 0, long missing = 0)
        => SendOutputAsync(Frame('T', Encoding.UTF8.GetBytes(new JsonObject
        {
            ["exit"] = exit,
            ["length"] = _sent + missing,
            ["sha256"] = Convert.ToHexString(_hash.GetCurrentHash()).ToLowerInvariant(),
        }.ToJsonString())));

    private void NoteModules(string block)
    {
        for (int place = 0; place < block.Length;)
        {
            string[] words = block[place..block.IndexOf('\n', place)].Split(' ');
            Modules.Add(words[0]);
            place = block.IndexOf('\n', place) + 1 + int.Parse(words[1], CultureInfo.InvariantCulture);
        }
    }

    private async Task<string> ReadBlockAsync()
    {
        byte[] packed = await ReadAsync(await LengthAsync());
        if (packed.Length < 8)
        {
            throw new InvalidDataException("a block that Python's zlib does not take");
        }

        using ZLibStream zlib = new(new MemoryStream(packed), CompressionMode.Decompress);
        using StreamReader text = new(zlib, Encoding.UTF8);
        return await text.ReadToEndAsync();
    }

    private async Task<int> LengthAsync()
    {
        byte[] b = await ReadAsync(4);
        return (b[0] << 24) | (b[1] << 16) | (b[2] << 8) | b[3];
    }

    private async Task<byte[]> ReadAsync(int count)
    {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++)
        {
            while (_input.Count == 0)
            {
                byte[] message = await Connection.ReadFrameAsync() ?? throw new EndOfStreamException();
                LongestMessage = Math.Max(LongestMessage, message.Length);
                for (int j = 1; j < message.Length; j++)
                {
                    _input.Enqueue(message[j]);
                }
            }

            bytes[i] = _input.Dequeue();
        }

        return bytes;
    }
}
