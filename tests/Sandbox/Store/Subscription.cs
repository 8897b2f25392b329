using System;
using System.Collections.Generic;
using System.Threading.Channels;

namespace PyDebug.Sandbox.Store;

/// <summary>A watch: what happened before it, and a reader for what happens from now on.</summary>
internal sealed class Subscription(
    IReadOnlyList<WatchEvent> replay, ChannelReader<WatchEvent> changes, long version, Action end) : IDisposable
{
    public IReadOnlyList<WatchEvent> Replay { get; } = replay;

    public ChannelReader<WatchEvent> Changes { get; } = changes;

    /// <summary>The version the replay reaches up to.</summary>
    public long Version { get; } = version;

    public void Dispose() => end();
}
