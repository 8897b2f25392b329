using System;
using System.Buffers;
using System.IO;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>Streams over one WebSocket: the first byte of each message is the channel.</summary>
/// <param name="socket">The connection.</param>
/// <param name="canClose">True for v5, where the client can close a channel.</param>
/// <param name="stop">Ends everything.</param>
internal sealed class ChannelSocket(WebSocket socket, bool canClose, CancellationToken stop)
{
    private const int Chunk = 32 * 1024;
    private const byte CloseChannel = 255;
    private const byte ErrorChannel = 3;

    private readonly SemaphoreSlim _writing = new(1, 1);

    public async Task SendAsync(byte channel, ReadOnlyMemory<byte> data)
    {
        byte[] message = ArrayPool<byte>.Shared.Rent(data.Length + 1);
        await _writing.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            message[0] = channel;
            data.CopyTo(message.AsMemory(1));
            await socket.SendAsync(message.AsMemory(0, data.Length + 1), WebSocketMessageType.Binary, true, stop)
                .ConfigureAwait(false);
        }
        finally
        {
            _writing.Release();
            ArrayPool<byte>.Shared.Return(message);
        }
    }

    /// <summary>Sends a stream to its end. Once the client is gone, the rest is read and dropped.</summary>
    public async Task PumpAsync(Stream source, byte channel)
    {
        byte[] buffer = new byte[Chunk];
        bool connected = true;
        for (int read; (read = await source.ReadAsync(buffer, CancellationToken.None).ConfigureAwait(false)) > 0;)
        {
            try
            {
                if (connected)
                {
                    await SendAsync(channel, buffer.AsMemory(0, read)).ConfigureAwait(false);
                }
            }
            catch (Exception failure) when (failure is WebSocketException or OperationCanceledException or IOException)
            {
                connected = false;
            }
        }
    }

    /// <summary>Writes channel 0 to a stream, until the client closes the channel or the connection.</summary>
    /// <param name="input">Where it goes; null drops it.</param>
    public async Task ReceiveAsync(Stream? input)
    {
        byte[] buffer = new byte[Chunk + 1];
        bool first = true;
        byte channel = 0;
        try
        {
            while (true)
            {
                ValueWebSocketReceiveResult result =
                    await socket.ReceiveAsync(buffer.AsMemory(), stop).ConfigureAwait(false);
                if (result.MessageType == WebSocketMessageType.Close)
                {
                    break;
                }

                int start = first && result.Count > 0 ? 1 : 0;
                channel = start == 1 ? buffer[0] : channel;
                first = result.EndOfMessage;
                if (canClose && channel == CloseChannel)
                {
                    if (result.Count > start && buffer[start] == 0)
                    {
                        input?.Close();
                        input = null;
                    }
                }
                else if (channel == 0 && input is not null && result.Count > start)
                {
                    input = await WriteAsync(input, buffer.AsMemory(start, result.Count - start)).ConfigureAwait(false);
                }
            }
        }
        catch (Exception failure) when (failure is WebSocketException or OperationCanceledException or IOException)
        {
        }

        input?.Close();
    }

    /// <summary>Sends the final status and closes the connection.</summary>
    public async Task FinishAsync(JsonObject status)
    {
        try
        {
            await SendAsync(ErrorChannel, status.ToBytes()).ConfigureAwait(false);
            using CancellationTokenSource time = CancellationTokenSource.CreateLinkedTokenSource(stop);
            time.CancelAfter(TimeSpan.FromSeconds(5));
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", time.Token).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is WebSocketException or OperationCanceledException or IOException)
        {
        }
    }

    /// <summary>A process that no longer reads is no reason to stop listening.</summary>
    private static async Task<Stream?> WriteAsync(Stream input, ReadOnlyMemory<byte> data)
    {
        try
        {
            await input.WriteAsync(data).ConfigureAwait(false);
            await input.FlushAsync().ConfigureAwait(false);
            return input;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
