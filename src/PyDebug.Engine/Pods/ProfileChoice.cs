using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>A profile that admission lets through, and what it made of the container that was asked for.</summary>
/// <param name="Profile">The profile.</param>
/// <param name="Asked">The container as it was asked for.</param>
/// <param name="Made">The container as the server would have it.</param>
/// <param name="Warning">Why it is not the usual profile; null where it is.</param>
internal sealed record ProfileChoice(string Profile, JsonObject Asked, JsonObject Made, string? Warning = null);
