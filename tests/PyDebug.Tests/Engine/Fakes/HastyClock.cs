using System;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Tests.Engine;

/// <summary>A clock on which every pause is over at once, and counts as if it had been waited for.</summary>
internal sealed class HastyClock : TimeProvider
{
    private long _waited;

    /// <summary>Time that was asked for and not waited.</summary>
    public TimeSpan Waited => TimeSpan.FromTicks(Interlocked.Read(ref _waited));

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp()
        => (long)(System.GetElapsedTime(0).TotalSeconds * TimeSpan.TicksPerSecond) + Interlocked.Read(ref _waited);

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Waited;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime > TimeSpan.Zero)
        {
            Interlocked.Add(ref _waited, dueTime.Ticks);
        }

        _ = Task.Run(() => callback(state));
        return new Done();
    }

    private sealed class Done : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
