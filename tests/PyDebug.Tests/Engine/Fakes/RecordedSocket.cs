using System;
using System.Buffers.Binary;
using System.Net.WebSockets;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Tests.Engine;

/// <summary>
/// A connection that gives parts of messages from bytes: for each a byte that says what it is (0 a part, 1 the last of
/// its message, 2 text, 3 the server's close, else the end of the connection), two for its length, and the part.
/// </summary>
internal sealed class RecordedSocket(byte[] bytes) : WebSocket
{
    private const int Header = 3;

    private int _at;

    /// <inheritdoc/>
    public override WebSocketCloseStatus? CloseStatus => null;

    /// <inheritdoc/>
    public override string? CloseStatusDescription => null;

    /// <inheritdoc/>
    public override WebSocketState State => WebSocketState.Open;

    /// <inheritdoc/>
    public override string? SubProtocol => null;

    /// <inheritdoc/>
    public override ValueTask<ValueWebSocketReceiveResult> ReceiveAsync(Memory<byte> buffer, CancellationToken ct)
    {
        int kind = bytes.Length - _at < Header ? byte.MaxValue : bytes[_at];
        if (kind > 3)
        {
            throw new WebSocketException(WebSocketError.ConnectionClosedPrematurely);
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(_at + 1));
        ReadOnlySpan<byte> part = bytes.AsSpan(_at + Header);
        part = part[..Math.Min(Math.Min(length, part.Length), buffer.Length)];
        part.CopyTo(buffer.Span);
        _at += Header + part.Length;
        WebSocketMessageType type = kind == 2 ? WebSocketMessageType.Text
            : kind == 3 ? WebSocketMessageType.Close
            : WebSocketMessageType.Binary;
        return ValueTask.FromResult(new ValueWebSocketReceiveResult(part.Length, type, kind != 0));
    }

    /// <inheritdoc/>
    public override void Abort()
    {
    }

    /// <inheritdoc/>
    public override Task CloseAsync(WebSocketCloseStatus status, string? description, CancellationToken ct)
        => Task.CompletedTask;

    /// <inheritdoc/>
    public override Task CloseOutputAsync(WebSocketCloseStatus status, string? description, CancellationToken ct)
        => Task.CompletedTask;

    /// <inheritdoc/>
    public override Task<WebSocketReceiveResult> ReceiveAsync(ArraySegment<byte> buffer, CancellationToken ct)
        => throw new NotSupportedException();

    /// <inheritdoc/>
    public override Task SendAsync(
        ArraySegment<byte> buffer, WebSocketMessageType type, bool isLast, CancellationToken ct)
        => Task.CompletedTask;

    /// <inheritdoc/>
    public override void Dispose()
    {
    }
}
