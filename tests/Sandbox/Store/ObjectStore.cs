using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Channels;
using PyDebug.Sandbox.Api;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Store;

/// <summary>All API objects, in memory, with resource versions and watches.</summary>
internal sealed class ObjectStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Bucket> _buckets = new(StringComparer.Ordinal)
    {
        ["pods"] = new(), ["namespaces"] = new(), ["events"] = new(), ["nodes"] = new(),
    };

    private long _version = 100;

    /// <summary>The version of the newest change.</summary>
    public long Version
    {
        get
        {
            lock (_lock)
            {
                return _version;
            }
        }
    }

    /// <summary>A copy of one object, or null.</summary>
    public JsonObject? Find(string resource, string space, string name)
    {
        lock (_lock)
        {
            return _buckets[resource].Objects.GetValueOrDefault((space, name))?.Copy();
        }
    }

    /// <summary>A copy of one object; 404 in the API's words where there is none.</summary>
    public JsonObject Get(string resource, string space, string name) =>
        Find(resource, space, name) ?? throw ApiException.NotFound(resource, name);

    /// <summary>Copies of all objects, of one namespace or of all, and the version they belong to.</summary>
    public (IReadOnlyList<JsonObject> Objects, long Version) List(string resource, string? space)
    {
        lock (_lock)
        {
            List<JsonObject> objects = _buckets[resource].Objects
                .Where(entry => space is null || entry.Key.Namespace == space)
                .Select(entry => entry.Value.Copy()).ToList();
            return (objects, _version);
        }
    }

    /// <summary>Adds an object; 409 where the name is taken.</summary>
    public JsonObject Add(string resource, JsonObject value)
    {
        lock (_lock)
        {
            Bucket bucket = _buckets[resource];
            (string Namespace, string Name) key = (value.NamespaceOf(), value.NameOf());
            if (bucket.Objects.TryGetValue(key, out JsonObject? existing))
            {
                bool going = existing.Text("metadata", "deletionTimestamp") is not null;
                throw ApiException.AlreadyExists(resource, key.Name, going ? "object is being deleted: " : "");
            }

            return Commit(bucket, "ADDED", key, value.Copy());
        }
    }

    /// <summary>
    /// Changes an object under the store's lock. The function gets a copy and returns the new object; what it throws
    /// leaves the store as it was. Nothing is published where nothing changed or with <paramref name="dryRun"/>.
    /// </summary>
    public JsonObject Change(
        string resource, string space, string name, Func<JsonObject, JsonObject> change, bool dryRun = false)
    {
        lock (_lock)
        {
            Bucket bucket = _buckets[resource];
            JsonObject old = bucket.Objects.GetValueOrDefault((space, name))
                ?? throw ApiException.NotFound(resource, name);
            JsonObject changed = change(old.Copy());
            if (dryRun || JsonNode.DeepEquals(old, changed))
            {
                return changed.Copy();
            }

            return Commit(bucket, "MODIFIED", (space, name), changed);
        }
    }

    /// <summary>Removes an object if it is (still) the one with that UID.</summary>
    public JsonObject? Remove(string resource, string space, string name, string? uid = null)
    {
        lock (_lock)
        {
            Bucket bucket = _buckets[resource];
            JsonObject? old = bucket.Objects.GetValueOrDefault((space, name));
            if (old is null || (uid is not null && old.UidOf() != uid))
            {
                return null;
            }

            bucket.Objects.Remove((space, name));
            JsonObject last = old.Copy();
            Stamp(last);
            bucket.Publish(new WatchEvent(_version, "DELETED", last));
            return last.Copy();
        }
    }

    /// <summary>Changes after a version, and all that follow. 410 where the history begins later.</summary>
    public Subscription Watch(string resource, long? after)
    {
        lock (_lock)
        {
            Bucket bucket = _buckets[resource];
            if (after is long wanted && wanted < bucket.Forgotten)
            {
                throw ApiException.Expired(wanted, bucket.Forgotten);
            }

            Channel<WatchEvent> channel = Channel.CreateUnbounded<WatchEvent>();
            IEnumerable<WatchEvent> past = after is long from
                ? bucket.History.Where(change => change.Version > from)
                : bucket.Objects.Values.Select(value => new WatchEvent(_version, "ADDED", value));
            List<WatchEvent> replay = past.ToList();
            bucket.Listeners.Add(channel);
            return new Subscription(replay, channel.Reader, _version, () => Forget(bucket, channel));
        }
    }

    private void Forget(Bucket bucket, Channel<WatchEvent> channel)
    {
        lock (_lock)
        {
            bucket.Listeners.Remove(channel);
        }
    }

    private JsonObject Commit(Bucket bucket, string type, (string Namespace, string Name) key, JsonObject value)
    {
        Stamp(value);
        bucket.Objects[key] = value;
        bucket.Publish(new WatchEvent(_version, type, value));
        return value.Copy();
    }

    private void Stamp(JsonObject value)
    {
        _version++;
        value.Ensure("metadata")["resourceVersion"] = _version.ToString(CultureInfo.InvariantCulture);
    }
}
