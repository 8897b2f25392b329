using System;
using System.IO;
using System.Text.Json;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>
/// What the build knows of the payloads that the module carries: names, versions, hashes. It is a part of the assembly,
/// so that a file that was changed since is not what the agent is told to accept.
/// </summary>
internal static class PayloadManifest
{
    /// <summary>Reads a payload's manifest; null where there is none. Tests have others.</summary>
    internal static Func<string, Stream?> Open { get; set; } = name => typeof(PayloadManifest).Assembly
        .GetManifestResourceStream($"PyDebug.payload.{name}.json");

    /// <summary>The manifest of a payload.</summary>
    /// <exception cref="PyDebugException">This build does not carry it.</exception>
    public static JsonDocument Read(string name)
    {
        try
        {
            using Stream stream = Open(name) ?? throw new FileNotFoundException(name);
            return JsonDocument.Parse(stream);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            throw Absent(name);
        }
    }

    /// <summary>The failure that stands for a payload that this build does not carry.</summary>
    public static PyDebugException Absent(string name)
        => ErrorFactory.Local(AgentCause.ToolUnavailable, $"This build of PyDebug does not carry {name}.");
}
