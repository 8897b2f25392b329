using System;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>One request and its answer over one exec.</summary>
internal sealed class AgentExchange
{
    /// <summary>The fact of a cut after the server was reached: seconds for which nothing had come by then.</summary>
    public const string Cut = "cut";

    /// <summary>The most files that one request takes from this side, such as a tool and what belongs to it.</summary>
    private const int MostNeeds = 32;

    private readonly ExecSession _session;

    private readonly AgentRequest _request;
    private readonly AgentTiming _timing;
    private readonly Func<AgentFrame, CancellationToken, ValueTask> _onFrame;
    private readonly Action<byte[]> _onKept;
    private readonly FrameReader _reader;
    private EngineException? _failure;
    private Task<AgentFrame?>? _pending;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private int _needs;
    private int _acknowledged;
    private bool _asked;
    private bool _transfers;

    public AgentExchange(
        ExecSession session,
        AgentRequest request,
        AgentTiming timing,
        Func<AgentFrame, CancellationToken, ValueTask> onFrame,
        Action<byte[]> onKept)
    {
        _session = session;
        _request = request;
        _timing = timing;
        _onFrame = onFrame;
        _onKept = onKept;
        _reader = new FrameReader(session.Demuxer.Output.ReadManyAsync);
    }

    /// <summary>Asks; null where the agent lacks modules that it was to have kept, and has done nothing.</summary>
    public async Task<AgentOutcome?> RunAsync(byte[] startUp, bool mayLack, CancellationToken ct)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(ct);
        Task watching = WatchAsync(end);
        try
        {
            _asked = true;
            await SendAsync(startUp, end.Token).ConfigureAwait(false);
            await SendAsync(Frames.Encode(FrameKinds.Request, Question()), end.Token).ConfigureAwait(false);
            return await ReadAsync(mayLack, end.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not EngineException || ct.IsCancellationRequested)
        {
            if (_failure is not null && !ct.IsCancellationRequested)
            {
                throw _failure;
            }

            // The caller gave up: the agent and its tools must end before we go.
            await AbandonAsync().ConfigureAwait(false);
            ct.ThrowIfCancellationRequested();
            throw;
        }
        finally
        {
            await end.CancelAsync().ConfigureAwait(false);
            await watching.ConfigureAwait(false);
            _request.Phase = _transfers ? Phases.Transfer : Phases.Run;
            _request.RemoteState = State;
            _reader.Dispose();
        }
    }

    /// <summary>What is at work in the pod, as far as is known when the exchange is over.</summary>
    private string State
        => !_asked ? RemoteStates.NotStarted
            : _session.Demuxer.Trailer.IsComplete || _session.Demuxer.Status is not null ? RemoteStates.Stopped
            : _session.Demuxer.Failure is EngineException ? RemoteStates.Unknown
            : RemoteStates.MayBeRunning;

    private byte[] Question()
    {
        JsonObject body = (JsonObject)_request.Body.DeepClone();
        body["v"] = Wire.Version;
        body["keep"] = true;
        body["op"] = _request.Op;
        body["deadline"] = _request.Deadline.TotalSeconds;
        return Encoding.UTF8.GetBytes(body.ToJsonString());
    }

    private async Task<AgentOutcome?> ReadAsync(bool mayLack, CancellationToken ct)
    {
        while (true)
        {
            AgentFrame? frame = await NextAsync(ct).ConfigureAwait(false);
            switch (frame?.Kind)
            {
                case null:
                    throw await NoTrailerAsync().ConfigureAwait(false);
                case FrameKinds.Trailer:
                    int exit = _reader.Verify(frame.Payload);
                    using (CancellationTokenSource limit = new(_timing.Farewell))
                    {
                        await FinishAsync(limit.Token).ConfigureAwait(false);
                    }

                    return new() { ExitCode = exit, StandardError = _session.Demuxer.StandardError.ToString() };
                case FrameKinds.Need:
                    _transfers = true;
                    await ProvideAsync(frame.Payload, ct).ConfigureAwait(false);
                    break;
                case FrameKinds.Heartbeat:
                    break;
                case FrameKinds.Modules when _reader.Count > 1:
                    _onKept(frame.Payload);
                    break;
                case FrameKinds.Modules when mayLack:
                    _asked = false;
                    return null;
                case FrameKinds.Modules:
                    throw new EngineException(
                        Causes.ProtocolError, "The agent says that it lacks modules, and was sent them all.");
                default:
                    _transfers = frame.Kind is FrameKinds.File or FrameKinds.HashedFile;
                    await _onFrame(frame, ct).ConfigureAwait(false);
                    break;
            }
        }
    }

    /// <summary>Waits for the next frame. A wait that is cancelled loses nothing of it.</summary>
    private async Task<AgentFrame?> NextAsync(CancellationToken ct)
    {
        _pending ??= _reader.ReadAsync(CancellationToken.None).AsTask();
        AgentFrame? frame = await _pending.WaitAsync(ct).ConfigureAwait(false);
        _pending = null;
        return frame;
    }

    private async Task SendAsync(byte[] frame, CancellationToken ct)
    {
        // Cancelling a send breaks the connection, over which the agent must still be told to end.
        try
        {
            await _session.SendAsync(frame, CancellationToken.None).WaitAsync(ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Cause == Causes.ConnectionFailed)
        {
            // What came back says more than that the way there is closed.
            await Task.WhenAny(_session.Receiving, Task.Delay(_timing.Farewell, ct)).ConfigureAwait(false);
            if (!_session.Receiving.IsCompleted)
            {
                throw;
            }
        }
    }

    private async Task ProvideAsync(byte[] payload, CancellationToken ct)
    {
        if (++_needs > MostNeeds)
        {
            throw new EngineException(
                Causes.LimitExceeded, $"The agent asked for more than {MostNeeds} files of this side.");
        }

        JsonObject need = KubeJson.ParseObject(payload)
            ?? throw new EngineException(Causes.ProtocolError, "The agent asked for something that cannot be read.");
        Stream? content = _request.Provide is null ? null : await _request.Provide(need, ct).ConfigureAwait(false);
        if (content is null)
        {
            await SendAsync(Frames.Encode(FrameKinds.Cancel), ct).ConfigureAwait(false);
            return;
        }

        await using (content.ConfigureAwait(false))
        {
            byte[] buffer = new byte[Frames.MaxData];
            int read;
            while ((read = await content.ReadAsync(buffer, ct).ConfigureAwait(false)) > 0)
            {
                // An agent that has failed meanwhile has said so, and has no use for the rest.
                if (await AnsweredAsync(ct).ConfigureAwait(false))
                {
                    return;
                }

                await SendAsync(Frames.Encode(FrameKinds.Data, buffer.AsSpan(0, read)), ct).ConfigureAwait(false);
            }
        }

        await SendAsync(Frames.Encode(FrameKinds.EndOfData), ct).ConfigureAwait(false);
    }

    /// <summary>Takes what came during an upload; true when the answer to it came, which is left to be read.</summary>
    private async Task<bool> AnsweredAsync(CancellationToken ct)
    {
        while (true)
        {
            _pending ??= _reader.ReadAsync(CancellationToken.None).AsTask();
            if (!_pending.IsCompleted)
            {
                return false;
            }

            AgentFrame? frame = await _pending.ConfigureAwait(false);
            if (frame is null || frame.Kind is FrameKinds.Failure or FrameKinds.Trailer or FrameKinds.Need)
            {
                return true;
            }

            _pending = null;
            if (frame.Kind is not (FrameKinds.Heartbeat or FrameKinds.Modules))
            {
                await _onFrame(frame, ct).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Keeps the agent alive, and ends the exchange when the server is silent or time is up.</summary>
    private async Task WatchAsync(CancellationTokenSource end)
    {
        long begun = _timing.Clock.GetTimestamp();
        TimeSpan nextKeepAlive = _timing.KeepAlive;
        TimeSpan limit = _request.Deadline + _timing.Grace;
        TimeSpan quiet = -_timing.Silence;
        long looked = begun;
        long heard = _session.Demuxer.Heard;
        TimeSpan heardAt = TimeSpan.Zero;
        using PeriodicTimer timer = new(_timing.Tick, _timing.Clock);
        try
        {
            while (await timer.WaitForNextTickAsync(end.Token).ConfigureAwait(false))
            {
                TimeSpan asleep = Asleep(ref looked);
                TimeSpan now = _timing.Clock.GetElapsedTime(begun, looked);
                limit += asleep;
                quiet = asleep > TimeSpan.Zero ? now : quiet;
                if (_session.Demuxer.Heard != heard)
                {
                    heard = _session.Demuxer.Heard;
                    heardAt = now;
                }

                if (_session.Demuxer.Trailer.IsComplete || _session.Receiving.IsCompleted)
                {
                    // All there is has come: nobody takes it away from a consumer that needs its time.
                    await AcknowledgeAsync(end.Token).ConfigureAwait(false);
                    return;
                }

                if (now - heardAt > _timing.Silence && now - quiet > _timing.Silence)
                {
                    _failure = new(
                        Causes.PeerSilent,
                        $"Nothing came from the debug container for {_timing.Silence.TotalSeconds:0} s.");
                }
                else if (now > limit)
                {
                    _failure = new(
                        Causes.Timeout,
                        $"The agent did not end within {limit.TotalSeconds:0} s (operation {_request.Op}).");
                }

                if (_failure is not null)
                {
                    await end.CancelAsync().ConfigureAwait(false);
                    return;
                }

                if (now >= nextKeepAlive)
                {
                    nextKeepAlive = now + _timing.KeepAlive;
                    _ = KeepAliveAsync();
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>
    /// How long this process did not run, as on a machine that was asleep: no fault of the other side.
    /// </summary>
    private TimeSpan Asleep(ref long looked)
    {
        long now = _timing.Clock.GetTimestamp();
        TimeSpan gone = _timing.Clock.GetElapsedTime(looked, now) - _timing.Tick;
        looked = now;
        return gone > _timing.Silence / 3 ? gone : TimeSpan.Zero;
    }

    private async Task AcknowledgeAsync(CancellationToken ct)
    {
        if (_session.Demuxer.Trailer.IsComplete && Interlocked.Exchange(ref _acknowledged, 1) == 0)
        {
            try
            {
                await _session.SendAsync(Frames.Encode(FrameKinds.Acknowledge), ct).ConfigureAwait(false);
            }
            catch (Exception e) when (e is EngineException or OperationCanceledException or ObjectDisposedException)
            {
            }
        }
    }

    private async Task KeepAliveAsync()
    {
        try
        {
            await _session.SendAsync(Frames.Encode(FrameKinds.KeepAlive), CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is EngineException or ObjectDisposedException)
        {
        }
    }

    /// <summary>Tells the agent that all of it arrived, which is what it waits for, and lets it go.</summary>
    private async Task FinishAsync(CancellationToken limit)
    {
        try
        {
            await AcknowledgeAsync(limit).ConfigureAwait(false);
            await _session.Receiving.WaitAsync(limit).ConfigureAwait(false);
        }
        catch (Exception e) when (e is EngineException or OperationCanceledException)
        {
        }
    }

    private async Task AbandonAsync()
    {
        using CancellationTokenSource limit = new(_timing.Farewell);
        try
        {
            await _session.SendAsync(Frames.Encode(FrameKinds.Cancel), limit.Token).ConfigureAwait(false);
            AgentFrame? frame;
            do
            {
                frame = await NextAsync(limit.Token).ConfigureAwait(false);
            }
            while (frame is not null && frame.Kind != FrameKinds.Trailer);
            if (frame is not null)
            {
                await FinishAsync(limit.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is EngineException or OperationCanceledException or IOException)
        {
        }
    }

    private async Task<EngineException> NoTrailerAsync()
    {
        await _session.Receiving.ConfigureAwait(false);
        return new AgentEnding(_session.Demuxer, _reader.Count, _clock.Elapsed).Explain(_request.Deadline);
    }
}
