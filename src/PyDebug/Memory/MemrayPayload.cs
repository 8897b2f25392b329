using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// memray as the module carries it: <c>bin/payload/memray</c>, a packed archive for each machine and kind, such as
/// <c>cp313</c>.
/// </summary>
internal sealed class MemrayPayload
{
    private const string Name = "memray";

    private const string Prefix = Name + "-";

    private readonly Dictionary<string, Dictionary<string, (string File, string Hash)>> _machines = [];

    /// <summary>The kinds that the tests do not hold to live processes, with where they come from.</summary>
    private readonly Dictionary<string, string> _unproven = [];

    private readonly string _folder;

    private MemrayPayload(string folder, JsonElement manifest)
    {
        _folder = folder;
        Version = manifest.Text("version") ?? "";
        if (!manifest.TryGetProperty("payloads", out JsonElement machines)
            || machines.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        foreach (JsonProperty machine in machines.EnumerateObject())
        {
            Dictionary<string, (string, string)> kinds = [];
            foreach (JsonProperty kind in machine.Value.EnumerateObject())
            {
                if (kind.Value.Text("file") is string file && kind.Value.Text("sha256") is string hash)
                {
                    kinds[kind.Name] = (file, hash);
                    if (kind.Value.Flag("proven") != true)
                    {
                        _unproven[kind.Name] = kind.Value.Text("source") is string source
                            ? $"{source}'s own package" : "its published wheel";
                    }
                }
            }

            _machines[machine.Name] = kinds;
        }
    }

    /// <summary>The version of memray.</summary>
    public string Version { get; }

    /// <summary>Finds it.</summary>
    /// <exception cref="PyDebugException">This build does not carry it.</exception>
    public static MemrayPayload Find()
        => Find(Path.Join(ModuleFiles.Folder("payload"), Name), PayloadManifest.Read(Name));

    /// <summary>Finds it in a folder.</summary>
    /// <exception cref="PyDebugException">The manifest is none.</exception>
    public static MemrayPayload Find(string folder, JsonDocument manifest)
    {
        using (manifest)
        {
            try
            {
                return new MemrayPayload(folder, manifest.RootElement);
            }
            catch (InvalidOperationException)
            {
                throw PayloadManifest.Absent(Name);
            }
        }
    }

    /// <summary>What is to be said of the memray for a CPython before it is used; null for nothing.</summary>
    /// <param name="pythonVersion">Its version, such as <c>3.10.4</c>.</param>
    public string? Doubt(string? pythonVersion)
    {
        string[] parts = (pythonVersion ?? "").Split('.');
        return parts.Length > 1 && _unproven.TryGetValue($"cp{parts[0]}{parts[1]}", out string? source)
            ? $"The memray for CPython {parts[0]}.{parts[1]} is made from {source} and is not tested with live "
                + "processes; the rehearsal tells whether it works here."
            : null;
    }

    /// <summary>The archives' hashes by machine and kind, as a request has them.</summary>
    public JsonObject Hashes()
    {
        JsonObject hashes = [];
        foreach ((string machine, Dictionary<string, (string File, string Hash)> kinds) in _machines)
        {
            JsonObject inner = [];
            foreach ((string kind, (string _, string hash)) in kinds)
            {
                inner[kind] = hash;
            }

            hashes[machine] = inner;
        }

        return hashes;
    }

    /// <summary>Opens the archive that the agent names, packed as it is; null where there is none.</summary>
    public Task<Stream?> OpenAsync(JsonObject need, CancellationToken ct)
    {
        string name = Text(need, "name");
        bool known = _machines.TryGetValue(
            Text(need, "machine"), out Dictionary<string, (string File, string Hash)>? kinds);
        return Task.FromResult<Stream?>(
            known
            && name.StartsWith(Prefix, StringComparison.Ordinal)
            && kinds!.TryGetValue(name[Prefix.Length..], out (string File, string Hash) entry)
                ? File.OpenRead(Path.Join(_folder, entry.File))
                : null);
    }

    private static string Text(JsonObject need, string name)
        => KubeJson.Text(need, name) ?? "";
}
