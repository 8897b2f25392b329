using System;
using System.IO;
using System.Net.WebSockets;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Takes the messages of an exec apart, as fast as they come, whatever the consumer does.</summary>
internal sealed class Demuxer : IDisposable
{
    private const int MaxStatus = 64 << 10;
    private const int MaxStandardError = 64 << 10;

    /// <summary>
    /// How long a reader of a file that takes nothing is waited for before the disk is used. The agent is there until
    /// it is told that all of it came, so that the server loses nothing meanwhile.
    /// </summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private readonly WebSocket _socket;
    private readonly MemoryStream _status = new();
    private long _heardAt = Environment.TickCount64;
    private long _heard;

    public Demuxer(WebSocket socket) => _socket = socket;

    /// <summary>Standard output. It ends with the connection, however that ends.</summary>
    public SpillQueue Output { get; } = new();

    /// <summary>How far standard output is.</summary>
    public TrailerWatch Trailer { get; } = new();

    public TailBuffer StandardError { get; } = new(MaxStandardError);

    /// <summary>What the status channel said; null until it did.</summary>
    public ExecStatus? Status { get; private set; }

    /// <summary>Why the connection ended, when it was not closed by the server in due form.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>How long nothing had come when the connection broke.</summary>
    public TimeSpan QuietBeforeFailure { get; private set; }

    /// <summary>How often something came from the server.</summary>
    public long Heard => Interlocked.Read(ref _heard);

    /// <summary>Time since the last byte from the server.</summary>
    private TimeSpan Silence => TimeSpan.FromMilliseconds(Environment.TickCount64 - Interlocked.Read(ref _heardAt));

    /// <summary>Reads until the server closes, the connection breaks or the token is cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        byte[] buffer = new byte[64 << 10];
        int channel = -1;
        try
        {
            while (true)
            {
                ValueWebSocketReceiveResult part = await _socket.ReceiveAsync(buffer.AsMemory(), ct)
                    .ConfigureAwait(false);
                Interlocked.Exchange(ref _heardAt, Environment.TickCount64);
                Interlocked.Increment(ref _heard);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    break;
                }

                if (part.MessageType == WebSocketMessageType.Text)
                {
                    throw new EngineException(
                        Causes.ProtocolError, "The server sent a text message on an exec connection.");
                }

                channel = Take(buffer.AsSpan(0, part.Count), channel);
                channel = part.EndOfMessage ? -1 : channel;
                if (Trailer.IsInFile)
                {
                    await Output.WaitForSpaceAsync(buffer.Length, s_patience, ct).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e)
        {
            QuietBeforeFailure = Silence;
            Failure = e;
        }
        finally
        {
            // Whatever becomes of the rest, nobody waits for more.
            Output.Complete();
            Status ??= ExecStatus.Read(_status.ToArray());
        }
    }

    public void Dispose() => Output.Dispose();

    /// <summary>Handles a part of a message; <paramref name="channel"/> is -1 at its beginning.</summary>
    internal int Take(ReadOnlySpan<byte> part, int channel)
    {
        if (part.IsEmpty)
        {
            return channel;
        }

        if (channel < 0)
        {
            channel = part[0];
            part = part[1..];
        }

        switch (channel)
        {
            case ExecChannels.Output:
                Output.Write(part);
                Trailer.Take(part);
                break;
            case ExecChannels.Error:
                StandardError.Write(part);
                break;
            case ExecChannels.Status:
                _status.Write(part[..(int)Math.Min(part.Length, MaxStatus - _status.Length)]);
                break;
            case ExecChannels.Input or ExecChannels.Close:
                break;
            default:
                throw new EngineException(
                    Causes.ProtocolError, $"The server sent on channel {channel}, which exec has not.");
        }

        return channel;
    }
}
