using System.Collections.Generic;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace PyDebug.Sandbox.Store;

/// <summary>The objects of one resource, with the history and the listeners of its watches.</summary>
internal sealed class Bucket
{
    private const int HistoryLength = 2000;

    public SortedDictionary<(string Namespace, string Name), JsonObject> Objects { get; } = [];

    public Queue<WatchEvent> History { get; } = new();

    public List<Channel<WatchEvent>> Listeners { get; } = [];

    /// <summary>The newest version that is no longer in the history.</summary>
    public long Forgotten { get; private set; }

    public void Publish(WatchEvent change)
    {
        History.Enqueue(change);
        while (History.Count > HistoryLength)
        {
            Forgotten = History.Dequeue().Version;
        }

        foreach (Channel<WatchEvent> listener in Listeners)
        {
            listener.Writer.TryWrite(change);
        }
    }
}
