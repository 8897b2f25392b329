using System;
using System.Collections.Generic;
using System.Globalization;
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
    private readonly ExecSession _session;
    private readonly AgentRequest _request;
    private readonly AgentTiming _timing;
    private readonly Func<AgentFrame, CancellationToken, ValueTask> _onFrame;
    private readonly FrameReader _reader;
    private EngineException? _failure;
    private Task<AgentFrame?>? _pending;

    public AgentExchange(
        ExecSession session,
        AgentRequest request,
        AgentTiming timing,
        Func<AgentFrame, CancellationToken, ValueTask> onFrame)
    {
        _session = session;
        _request = request;
        _timing = timing;
        _onFrame = onFrame;
        _reader = new FrameReader(session.Demuxer.Output.ReadAsync);
    }

    public async Task<AgentOutcome> RunAsync(byte[] startUp, CancellationToken ct)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(ct);
        Task watching = WatchAsync(end);
        try
        {
            await SendAsync(startUp, end.Token).ConfigureAwait(false);
            await SendAsync(Frames.Encode(FrameKinds.Request, Question()), end.Token).ConfigureAwait(false);
            return await ReadAsync(end.Token).ConfigureAwait(false);
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
            _reader.Dispose();
        }
    }

    private byte[] Question()
    {
        JsonObject body = (JsonObject)_request.Body.DeepClone();
        body["v"] = 1;
        body["op"] = _request.Op;
        body["deadline"] = _request.Deadline.TotalSeconds;
        return Encoding.UTF8.GetBytes(body.ToJsonString());
    }

    private async Task<AgentOutcome> ReadAsync(CancellationToken ct)
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
                    await ProvideAsync(frame.Payload, ct).ConfigureAwait(false);
                    break;
                case FrameKinds.Heartbeat:
                    break;
                default:
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
            if (frame.Kind != FrameKinds.Heartbeat)
            {
                await _onFrame(frame, ct).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Keeps the agent alive, and ends the exchange when the server is silent or time is up.</summary>
    private async Task WatchAsync(CancellationTokenSource end)
    {
        Stopwatch clock = Stopwatch.StartNew();
        TimeSpan nextKeepAlive = _timing.KeepAlive;
        TimeSpan limit = _request.Deadline + _timing.Grace;
        using PeriodicTimer timer = new(_timing.Tick);
        try
        {
            while (await timer.WaitForNextTickAsync(end.Token).ConfigureAwait(false))
            {
                if (_session.Demuxer.Silence > _timing.Silence && !_session.Receiving.IsCompleted)
                {
                    _failure = new(
                        Causes.PeerSilent,
                        $"Nothing came from the debug container for {_timing.Silence.TotalSeconds:0} s.");
                }
                else if (clock.Elapsed > limit)
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

                if (clock.Elapsed >= nextKeepAlive)
                {
                    nextKeepAlive = clock.Elapsed + _timing.KeepAlive;
                    _ = KeepAliveAsync();
                }
            }
        }
        catch (OperationCanceledException)
        {
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
            await _session.SendAsync(Frames.Encode(FrameKinds.Acknowledge), limit).ConfigureAwait(false);
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
        Demuxer demuxer = _session.Demuxer;
        string said = LastLine(demuxer.StandardError.ToString());
        Dictionary<string, string> detail = new() { ["stderr"] = said };
        if (demuxer.Failure is EngineException failure)
        {
            return failure;
        }

        if (demuxer.Status is { Success: false } status)
        {
            detail["status"] = status.Message ?? string.Empty;
        }

        string how = "it ended";
        if (demuxer.Failure is not null)
        {
            how = "the connection was cut";
        }
        else if (demuxer.Status?.ExitCode is int code)
        {
            how = $"it ended with code {code}";
            detail[GoneDiagnosis.ExitCode] = code.ToString(CultureInfo.InvariantCulture);
        }

        if (_reader.Count > 0)
        {
            return new(
                Causes.OutcomeUnknown,
                $"The agent's answer is incomplete ({how} after {_reader.Count} frames){Suffix(said)}",
                demuxer.Failure)
            {
                Detail = detail,
            };
        }

        string reason = said.Length > 0 ? said : demuxer.Status?.Message ?? string.Empty;
        string cause = demuxer.Failure is not null && reason.Length == 0
            ? Causes.ConnectionFailed
            : Causes.AgentStartFailed;
        return new(cause, $"The agent did not start: {how}{Suffix(reason)}", demuxer.Failure)
        {
            Detail = detail,
            ServerMessage = demuxer.Status?.Message,
            Retryable = cause == Causes.ConnectionFailed,
        };
    }

    private static string Suffix(string reason) => reason.Length == 0 ? "." : $": {reason}";

    private static string LastLine(string text)
    {
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length == 0 ? string.Empty : lines[^1][..Math.Min(lines[^1].Length, 500)];
    }
}
