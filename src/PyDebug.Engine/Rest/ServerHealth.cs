using System;

namespace PyDebug.Engine;

/// <summary>Whether the server answers, and what the user was told about it meanwhile.</summary>
internal sealed class ServerHealth
{
    private static readonly TimeSpan s_warnAfter = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_exact = TimeSpan.FromSeconds(10);

    private readonly object _lock = new();
    private readonly Action<string>? _tell;
    private readonly Action<string>? _warn;
    private long? _since;
    private string? _outage;
    private bool _warned;
    private TimeSpan _ahead;

    public ServerHealth(TimeProvider clock, Action<string>? tell = null, Action<string>? warn = null)
    {
        Clock = clock;
        _tell = tell;
        _warn = warn;
    }

    public TimeProvider Clock { get; }

    /// <summary>Takes a line for each request; null where nobody reads them.</summary>
    public Action<string>? Trace { get; init; }

    /// <summary>Whether it answered once, be it with a refusal.</summary>
    public bool Answered { get; private set; }

    /// <summary>What is wrong since the last good answer; null where nothing is.</summary>
    public string? Outage
    {
        get
        {
            lock (_lock)
            {
                return _outage;
            }
        }
    }

    /// <summary>
    /// The time by the server's clock, which the kubelets' agree with; this machine's may be wrong by minutes or hours.
    /// </summary>
    public DateTime Now
    {
        get
        {
            lock (_lock)
            {
                return DateTime.UtcNow + _ahead;
            }
        }
    }

    /// <summary>Notes the time that the server gave with an answer.</summary>
    public void Dated(DateTimeOffset date)
    {
        TimeSpan ahead = date.UtcDateTime - DateTime.UtcNow;
        lock (_lock)
        {
            // It is in whole seconds, and was some time on the way.
            _ahead = ahead.Duration() > s_exact ? ahead : TimeSpan.Zero;
        }
    }

    /// <summary>Notes an answer.</summary>
    /// <param name="well">Whether it is not one of a server that is away or busy.</param>
    public void Heard(bool well)
    {
        lock (_lock)
        {
            Answered = true;
            if (well)
            {
                _since = null;
                _outage = null;
                _warned = false;
            }
        }
    }

    /// <summary>Notes a failure that may pass: it is told once, and once more when it lasts.</summary>
    /// <param name="failure">What happened.</param>
    /// <param name="left">How much longer it is tried.</param>
    public void Missed(EngineException failure, TimeSpan left)
    {
        lock (_lock)
        {
            bool first = _since is null;
            long since = _since ??= Clock.GetTimestamp();
            _outage = failure.Message;
            if (first)
            {
                _tell?.Invoke($"{failure.Message} It is tried again, for {left.TotalSeconds:0} s at most.");
            }

            if (!_warned && Clock.GetElapsedTime(since) >= s_warnAfter)
            {
                _warned = true;
                _warn?.Invoke(
                    $"{failure.Message} That is so for {Clock.GetElapsedTime(since).TotalSeconds:0} s; it is tried "
                    + $"again, for {left.TotalSeconds:0} s at most.");
            }
        }
    }
}
