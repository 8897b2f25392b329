using System;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Watch;

/// <summary>
/// Watches one pod: through one exec for as long as that lasts, through another where it was cut, and where that is
/// wanted through the pod's successor.
/// </summary>
internal sealed class PodWatch(
    AgentRun run, WatchOptions options, WatchOutput output, SemaphoreSlim places, Successions successions)
{
    /// <summary>A debug container lives no longer than twelve hours, and a request less.</summary>
    private const double LongestRequest = 42_000;

    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan s_moment = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(10);

    private readonly Stopwatch _clock = Stopwatch.StartNew();

    private readonly SampleParser _parser = new();

    private WatchLimits? _limits;

    private PyProcessSample? _first;

    private TimeSpan _lastSeen;

    private string? _gap;

    /// <summary>Watches until the time is over, or nothing is left that can be watched.</summary>
    /// <exception cref="EngineException">It cannot go on.</exception>
    public async Task RunAsync(CancellationToken ct)
    {
        if (options.Follow)
        {
            await successions.RememberAsync(run, ct).ConfigureAwait(false);
        }

        AgentRun current = run;
        TimeSpan pause = options.FirstPause;
        while (true)
        {
            EngineException failure;
            TimeSpan before = _lastSeen;
            try
            {
                if (await WatchAsync(current, ct).ConfigureAwait(false))
                {
                    await EndGapAsync(current.Session, goesOn: false, ct).ConfigureAwait(false);
                    return;
                }

                continue;
            }
            catch (EngineException e) when (!ct.IsCancellationRequested)
            {
                failure = e;
            }

            pause = _lastSeen > before ? options.FirstPause : pause;
            bool isCut = _first is not null && TransferTries.IsCut(failure);
            bool isReplaced = options.Follow && Successions.IsReplaced(failure);
            if (!isCut && !isReplaced)
            {
                await FailAsync(current.Session, failure, ct).ConfigureAwait(false);
                throw failure;
            }

            await BeginGapAsync(current, failure, ct).ConfigureAwait(false);
            if (isReplaced)
            {
                current = await FollowAsync(current, failure, ct).ConfigureAwait(false);
                continue;
            }

            if (Left() is TimeSpan left && left <= pause)
            {
                await EndGapAsync(current.Session, goesOn: false, ct).ConfigureAwait(false);
                return;
            }

            await current.Pause(pause, ct).ConfigureAwait(false);
            pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
        }
    }

    private async Task<AgentRun> FollowAsync(AgentRun current, EngineException failure, CancellationToken ct)
    {
        try
        {
            return await successions.FollowAsync(current, failure, Left(), ct).ConfigureAwait(false) ?? throw failure;
        }
        catch (Exception) when (!ct.IsCancellationRequested)
        {
            await EndGapAsync(current.Session, goesOn: false, ct).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Watches through one exec; says whether that was all.</summary>
    private async Task<bool> WatchAsync(AgentRun current, CancellationToken ct)
    {
        double seconds = Math.Min(Left()?.TotalSeconds ?? LongestRequest, LongestRequest);
        if (seconds < 0.1)
        {
            return true;
        }

        AgentRun attempt = current.Anew(TimeSpan.FromSeconds(Math.Min(43_200, seconds + options.Timeout.TotalSeconds)));
        JsonObject body = current.Work.Body();
        body["interval"] = options.IntervalSeconds;
        body["seconds"] = seconds;
        Stopwatch own = Stopwatch.StartNew();
        _limits = new(options.IntervalSeconds, () => own.Elapsed.TotalSeconds);
        _parser.Forget();
        PyDebugException? notYet = null;
        await places.WaitAsync(ct).ConfigureAwait(false);
        bool holdsPlace = true;
        try
        {
            await attempt.AskAsync(
                Operations.Watch,
                body,
                async (item, stop) =>
                {
                    Release();
                    return await TakeAsync(current, item, stop).ConfigureAwait(false);
                },
                ct,
                onFailure: (cause, failure) =>
                {
                    // What ended during a gap is no failure of the question, nor is what has not begun yet after it.
                    bool mayCome = _gap is not null && cause is (AgentCause.NoPython or AgentCause.PythonStarting);
                    notYet = mayCome ? failure : notYet;
                    bool isKnown = mayCome || (cause == AgentCause.ProcessGone && _first is not null);
                    if (isKnown)
                    {
                        current.Writer.Tell($"{current.Session.Target()}: {failure.Message}");
                    }

                    return isKnown;
                }).ConfigureAwait(false);
        }
        finally
        {
            Release();
        }

        if (notYet is not null)
        {
            if (_clock.Elapsed - _lastSeen > s_patience)
            {
                throw notYet;
            }

            await current.Pause(s_moment, ct).ConfigureAwait(false);
            return false;
        }

        // What takes longer than one request may goes on in the next one.
        bool isEarly = own.Elapsed.TotalSeconds < seconds - 1;
        return attempt.HasFailed || isEarly || Left() is { TotalSeconds: < 1 };

        void Release()
        {
            if (holdsPlace)
            {
                holdsPlace = false;
                places.Release();
            }
        }
    }

    private async ValueTask<bool> TakeAsync(AgentRun current, JsonElement item, CancellationToken ct)
    {
        _limits!.Count(item.ValueKind == JsonValueKind.Object ? item.GetRawText().Length : 0);
        if (_parser.Parse(item, current.Session, DateTime.UtcNow) is not PyProcessSample sample)
        {
            return false;
        }

        if (_gap is not null)
        {
            await EndGapAsync(current.Session, goesOn: true, ct).ConfigureAwait(false);
        }

        _lastSeen = _clock.Elapsed;
        if (sample.Gap is null && (_first is null || _first.PodUid != sample.PodUid))
        {
            _first = sample;
            await current.Writer.WriteVerboseAsync(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{current.Session.Target()}: watched every {options.IntervalSeconds} s through one exec."),
                ct).ConfigureAwait(false);
        }

        foreach (string note in sample.Notes)
        {
            await current.Writer.WriteVerboseAsync(
                $"{current.Session.Target(sample.ProcessId)}: {note}", ct).ConfigureAwait(false);
        }

        await output.WriteAsync(sample, ct).ConfigureAwait(false);
        return true;
    }

    /// <summary>What is left of the time that was asked for; null where there is no such.</summary>
    private TimeSpan? Left() => options.Duration is TimeSpan whole ? whole - _clock.Elapsed : null;

    private async Task BeginGapAsync(AgentRun current, EngineException failure, CancellationToken ct)
    {
        if (_gap is null && _first is not null)
        {
            _gap = failure.Message;
            await current.Writer.WriteWarningAsync(
                $"{current.Session.Target()}: {failure.Message} Nothing is seen until it goes on.",
                ct).ConfigureAwait(false);
        }
        else
        {
            await current.Writer.WriteVerboseAsync(
                $"{current.Session.Target()}: tried again: {failure.Message}", ct).ConfigureAwait(false);
        }
    }

    /// <summary>Writes the one record of a gap.</summary>
    private async Task EndGapAsync(PodDebugSession session, bool goesOn, CancellationToken ct)
    {
        if (_gap is null || _first is null)
        {
            return;
        }

        TimeSpan lasted = _clock.Elapsed - _lastSeen;
        PyProcessSample gap = new()
        {
            Namespace = session.Namespace,
            PodName = session.PodName,
            ContainerName = session.ContainerName,
            NodeName = session.NodeName,
            ProcessId = _first.ProcessId,
            StartTime = _first.StartTime,
            Name = _first.Name,
            Timestamp = DateTime.UtcNow,
            Gap = SafeText.Line(_gap, Json.TextLength),
            GapSeconds = goesOn ? Math.Round(lasted.TotalSeconds, 1) : null,
            DebugContainer = session.DebugContainer,
            PodUid = session.PodUid,
            Session = session,
        };
        _gap = null;
        await run.Writer.WriteVerboseAsync(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{session.Target()}: {(goesOn ? "goes on" : "did not go on")} after {lasted.TotalSeconds:0.0} s."),
            ct).ConfigureAwait(false);
        await output.WriteAsync(gap, ct).ConfigureAwait(false);
    }

    private Task FailAsync(PodDebugSession session, EngineException failure, CancellationToken ct)
    {
        _gap ??= failure.Message;
        return EndGapAsync(session, goesOn: false, ct);
    }
}
