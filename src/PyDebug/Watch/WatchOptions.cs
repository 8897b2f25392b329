using System;

namespace PyDebug.Watch;

/// <summary>How processes are watched.</summary>
internal sealed record WatchOptions
{
    /// <summary>The interval, in seconds.</summary>
    public required double IntervalSeconds { get; init; }

    /// <summary>How long it is watched; null for as long as the pipeline wants.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>The most time for one answer, and for the way to it.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>Whether the successor of a pod is watched in its place.</summary>
    public bool Follow { get; init; }

    /// <summary>Waits before a connection is tried again.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(0.5);
}
