using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;

namespace PyDebug.Tests.Engine;

/// <summary>One connection to the fake server, down to its bytes.</summary>
internal sealed class FakeConnection
{
    private const string KeySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    private readonly TcpClient _client;

    public FakeConnection(TcpClient client, Stream stream)
    {
        _client = client;
        Stream = stream;
    }

    public Stream Stream { get; }

    /// <summary>How far the server's clock is ahead of this machine's.</summary>
    public TimeSpan? Ahead { get; init; }

    public X509Certificate? ClientCertificate => (Stream as SslStream)?.RemoteCertificate;

    /// <summary>Whether the connection serves another request after this one.</summary>
    public bool Reusable { get; private set; } = true;

    public Task RespondAsync(int code, JsonNode body, params string[] headers)
        => RespondAsync(code, body.ToJsonString(), headers);

    public async Task RespondAsync(int code, string body, params string[] headers)
    {
        byte[] content = Encoding.UTF8.GetBytes(body);
        StringBuilder head = new($"HTTP/1.1 {code} X\r\nContent-Type: application/json\r\n");
        head.Append($"Content-Length: {content.Length}\r\n");
        if (Ahead is TimeSpan ahead)
        {
            head.Append(CultureInfo.InvariantCulture, $"Date: {DateTime.UtcNow + ahead:R}\r\n");
        }

        foreach (string header in headers)
        {
            head.Append(header).Append("\r\n");
        }

        await Stream.WriteAsync(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()));
        await Stream.WriteAsync(content);
        await Stream.FlushAsync();
    }

    public static JsonObject Status(int code, string reason, string message, JsonObject? details = null)
        => new()
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["status"] = "Failure",
            ["message"] = message,
            ["reason"] = reason,
            ["code"] = code,
            ["details"] = details,
        };

    public async Task UpgradeAsync(FakeRequest request, string? protocol = null)
    {
        Reusable = false;
        string accept = Convert.ToBase64String(
            SHA1.HashData(Encoding.ASCII.GetBytes(request.Headers["sec-websocket-key"] + KeySuffix)));
        protocol ??= request.Headers["sec-websocket-protocol"];
        string named = protocol.Length == 0 ? "" : $"Sec-WebSocket-Protocol: {protocol}\r\n";
        await Stream.WriteAsync(Encoding.ASCII.GetBytes(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + $"Sec-WebSocket-Accept: {accept}\r\n{named}\r\n"));
        await Stream.FlushAsync();
    }

    /// <summary>Writes one WebSocket frame.</summary>
    public async Task WriteFrameAsync(byte[] payload, int opcode = 2, bool final = true)
    {
        List<byte> head = [(byte)((final ? 0x80 : 0) | opcode)];
        if (payload.Length < 126)
        {
            head.Add((byte)payload.Length);
        }
        else if (payload.Length < 65536)
        {
            head.AddRange([126, (byte)(payload.Length >> 8), (byte)payload.Length]);
        }
        else
        {
            head.Add(127);
            for (int i = 7; i >= 0; i--)
            {
                head.Add((byte)((ulong)payload.Length >> (8 * i)));
            }
        }

        byte[] all = [.. head, .. payload];
        await Stream.WriteAsync(all);
        await Stream.FlushAsync();
    }

    /// <summary>Reads one frame of the client; null at a close frame or the end.</summary>
    public async Task<byte[]?> ReadFrameAsync()
    {
        byte[] head = new byte[2];
        if (await Stream.ReadAtLeastAsync(head, 2, throwOnEndOfStream: false) < 2 || (head[0] & 15) == 8)
        {
            return null;
        }

        long length = head[1] & 127;
        if (length >= 126)
        {
            byte[] more = new byte[length == 126 ? 2 : 8];
            await Stream.ReadExactlyAsync(more);
            length = 0;
            foreach (byte b in more)
            {
                length = (length << 8) | b;
            }
        }

        byte[] mask = new byte[4];
        await Stream.ReadExactlyAsync(mask);
        byte[] payload = new byte[length];
        await Stream.ReadExactlyAsync(payload);
        for (int i = 0; i < payload.Length; i++)
        {
            payload[i] ^= mask[i % 4];
        }

        return payload;
    }

    public void Close()
    {
        Reusable = false;
        _client.Close();
    }

    /// <summary>
    /// Waits until the other side's system has all that was sent. What it has not is lost with a reset, which a close
    /// is, too, where something of the other side was not read.
    /// </summary>
    public async Task ArriveAsync()
    {
        const int Tcp = 6;
        const int Information = 11;
        const byte Closed = 7;
        const int Unacknowledged = 24;
        const int Unsent = 144;
        for (long begun = Environment.TickCount64;
            OperatingSystem.IsLinux() && Environment.TickCount64 - begun < 30_000;
            await Task.Delay(5))
        {
            byte[] told = new byte[192];
            int length = _client.Client.GetRawSocketOption(Tcp, Information, told);
            if (length < Unsent + sizeof(uint) || told[0] == Closed
                || (BitConverter.ToUInt32(told, Unacknowledged) == 0 && BitConverter.ToUInt32(told, Unsent) == 0))
            {
                return;
            }
        }
    }

    /// <summary>Ends the connection as a crashed peer does: with RST.</summary>
    public void Reset()
    {
        Reusable = false;
        _client.LingerState = new LingerOption(true, 0);
        _client.Client.Close();
    }
}
