using System.Text.Json.Nodes;

namespace PyDebug.Sandbox.Store;

/// <summary>One change of one object, as a watch reports it.</summary>
/// <param name="Version">The resource version the change made.</param>
/// <param name="Type">ADDED, MODIFIED or DELETED.</param>
/// <param name="Object">The object after the change. Nobody changes it any more.</param>
internal sealed record WatchEvent(long Version, string Type, JsonObject Object);
