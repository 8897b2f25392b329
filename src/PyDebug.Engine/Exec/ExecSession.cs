using System;
using System.IO;
using System.Net.Http;
using System.Net.WebSockets;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>A running exec: its input, and the demuxer of its output.</summary>
internal sealed class ExecSession : IAsyncDisposable
{
    private static readonly TimeSpan s_sendTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_closeTimeout = TimeSpan.FromSeconds(1);

    private readonly WebSocket _socket;
    private readonly HttpResponseMessage _response;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly byte[] _message = new byte[ExecChannels.MaxMessage];

    public ExecSession(WebSocket socket, HttpResponseMessage response)
    {
        _socket = socket;
        _response = response;
        Demuxer = new Demuxer(socket);
        Receiving = Task.Run(() => Demuxer.RunAsync(_stop.Token));
    }

    public Demuxer Demuxer { get; }

    /// <summary>Ends with the connection. It does not fail: see <see cref="Demuxer.Failure"/>.</summary>
    public Task Receiving { get; }

    /// <summary>Sends bytes to standard input, in one piece as far as other senders are concerned.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(s_sendTimeout);
        try
        {
            await _sending.WaitAsync(limit.Token).ConfigureAwait(false);
            try
            {
                while (bytes.Length > 0)
                {
                    int count = Math.Min(bytes.Length, _message.Length - 1);
                    _message[0] = ExecChannels.Input;
                    bytes.Span[..count].CopyTo(_message.AsSpan(1));
                    await _socket.SendAsync(
                        _message.AsMemory(0, count + 1), WebSocketMessageType.Binary, endOfMessage: true, limit.Token)
                        .ConfigureAwait(false);
                    bytes = bytes[count..];
                }
            }
            finally
            {
                _sending.Release();
            }
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw new EngineException(
                Causes.PeerSilent, $"The server took no data for {s_sendTimeout.TotalSeconds:0} s.", e);
        }
        catch (Exception e) when (e is WebSocketException or IOException or InvalidOperationException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            // A socket that the receiver found broken answers a send with a cancellation.
            throw new EngineException(Causes.ConnectionFailed, "The exec connection was cut while data was sent.", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource limit = new(s_closeTimeout);
        try
        {
            if (_socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, limit.Token)
                    .ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is WebSocketException or IOException
            or OperationCanceledException or InvalidOperationException)
        {
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        _socket.Dispose();
        _response.Dispose();
        await Receiving.ConfigureAwait(false);
        Demuxer.Dispose();
        _stop.Dispose();
    }
}
