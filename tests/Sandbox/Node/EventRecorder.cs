using System;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using PyDebug.Sandbox.Json;
using PyDebug.Sandbox.Store;

namespace PyDebug.Sandbox.Node;

/// <summary>Writes events about pods; the same event again only counts up.</summary>
internal sealed class EventRecorder(ObjectStore store)
{
    private readonly Lock _lock = new();
    private long _number = DateTime.UtcNow.Ticks;

    /// <summary>An event about a pod, or about one of its containers.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="field">Such as <c>spec.containers{web}</c>, or null.</param>
    /// <param name="warning">True for type Warning, false for Normal.</param>
    /// <param name="reason">Such as <c>BackOff</c>.</param>
    /// <param name="message">The sentence.</param>
    /// <param name="source">The component that speaks.</param>
    public void Record(
        JsonObject pod, string? field, bool warning, string reason, string message, string source = "kubelet")
    {
        lock (_lock)
        {
            string space = pod.NamespaceOf();
            string now = Timestamp(DateTime.UtcNow);
            JsonObject? same = store.List("events", space).Objects.FirstOrDefault(old =>
                old.Text("involvedObject", "uid") == pod.UidOf() && old.Text("involvedObject", "fieldPath") == field
                && old.Text("reason") == reason && old.Text("message") == message);
            if (same is not null)
            {
                store.Change("events", space, same.NameOf(), old =>
                {
                    old["count"] = old.Number("count") + 1;
                    old["lastTimestamp"] = now;
                    return old;
                });
                return;
            }

            store.Add("events", Build(pod, field, warning, reason, message, source, now));
        }
    }

    public static string Timestamp(DateTime time) =>
        time.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private JsonObject Build(
        JsonObject pod, string? field, bool warning, string reason, string message, string source, string now)
    {
        JsonObject involved = new()
        {
            ["kind"] = "Pod",
            ["namespace"] = pod.NamespaceOf(),
            ["name"] = pod.NameOf(),
            ["uid"] = pod.UidOf(),
            ["apiVersion"] = "v1",
        };
        if (field is not null)
        {
            involved["fieldPath"] = field;
        }

        return new JsonObject
        {
            ["kind"] = "Event",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{pod.NameOf()}.{Interlocked.Increment(ref _number):x}",
                ["namespace"] = pod.NamespaceOf(),
                ["uid"] = Guid.NewGuid().ToString(),
                ["creationTimestamp"] = now,
            },
            ["involvedObject"] = involved,
            ["reason"] = reason,
            ["message"] = message,
            ["source"] = new JsonObject { ["component"] = source, ["host"] = NodeContext.NodeName },
            ["firstTimestamp"] = now,
            ["lastTimestamp"] = now,
            ["count"] = 1,
            ["type"] = warning ? "Warning" : "Normal",
            ["reportingComponent"] = source,
            ["reportingInstance"] = NodeContext.NodeName,
        };
    }
}
