using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>A tool that the module carries for the machines of pods: <c>bin/payload/NAME/MACHINE/NAME</c>.</summary>
internal sealed class ToolPayload
{
    private readonly string _folder;

    private readonly string _name;

    private readonly Dictionary<string, string> _hashes = [];

    private ToolPayload(string folder, string name, JsonElement manifest)
    {
        _folder = folder;
        _name = name;
        if (manifest.TryGetProperty("sha256", out JsonElement hashes) && hashes.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty machine in hashes.EnumerateObject())
            {
                if (hashes.Text(machine.Name) is string hash)
                {
                    _hashes[machine.Name] = hash;
                }
            }
        }
    }

    /// <summary>The tool's hashes by machine, as a request has them.</summary>
    public JsonObject Hashes()
    {
        JsonObject hashes = [];
        foreach ((string machine, string hash) in _hashes)
        {
            hashes[machine] = hash;
        }

        return hashes;
    }

    /// <summary>Finds a tool.</summary>
    /// <exception cref="PyDebugException">This build does not carry it.</exception>
    public static ToolPayload Find(string name)
    {
        using JsonDocument manifest = PayloadManifest.Read(name);
        return new ToolPayload(Path.Join(ModuleFiles.Folder("payload"), name), name, manifest.RootElement);
    }

    /// <summary>Opens the tool for the machine that the agent names, packed; null where there is none.</summary>
    public Task<Stream?> OpenAsync(JsonObject need, CancellationToken ct)
    {
        string? machine = KubeJson.Text(need, "machine");
        if (machine is null || !_hashes.ContainsKey(machine))
        {
            return Task.FromResult<Stream?>(null);
        }

        return PackAsync(Path.Join(_folder, machine, _name), ct);
    }

    private static async Task<Stream?> PackAsync(string path, CancellationToken ct)
    {
        MemoryStream packed = new();
        FileStream file = File.OpenRead(path);
        await using (file.ConfigureAwait(false))
        {
            GZipStream gzip = new(packed, CompressionLevel.Optimal, leaveOpen: true);
            await using (gzip.ConfigureAwait(false))
            {
                await file.CopyToAsync(gzip, ct).ConfigureAwait(false);
            }
        }

        packed.Position = 0;
        return packed;
    }
}
