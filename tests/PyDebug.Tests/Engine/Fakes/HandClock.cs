using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Tests.Engine;

/// <summary>A clock that stands still until a test moves it on.</summary>
internal sealed class HandClock : TimeProvider
{
    private readonly object _lock = new();

    private readonly List<Alarm> _alarms = [];

    private TimeSpan _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp()
    {
        lock (_lock)
        {
            return _now.Ticks;
        }
    }

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + new TimeSpan(GetTimestamp());

    /// <summary>Moves it on at once, as on a machine that did not run meanwhile: what was due is called once.</summary>
    public void Advance(TimeSpan time)
    {
        List<Alarm> due;
        lock (_lock)
        {
            _now += time;
            due = [.. _alarms.Where(a => a.Due <= _now)];
            due.ForEach(a => a.Due = a.Period > TimeSpan.Zero ? _now + a.Period : TimeSpan.MaxValue);
        }

        due.ForEach(a => a.Call());
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Alarm alarm = new(this, () => callback(state));
        alarm.Change(dueTime, period);
        lock (_lock)
        {
            _alarms.Add(alarm);
        }

        return alarm;
    }

    private sealed class Alarm(HandClock clock, Action call) : ITimer
    {
        public TimeSpan Due { get; set; } = TimeSpan.MaxValue;

        public TimeSpan Period { get; private set; }

        public void Call() => call();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._lock)
            {
                Due = dueTime < TimeSpan.Zero ? TimeSpan.MaxValue : clock._now + dueTime;
                Period = period;
                return true;
            }
        }

        public void Dispose()
        {
            lock (clock._lock)
            {
                clock._alarms.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
