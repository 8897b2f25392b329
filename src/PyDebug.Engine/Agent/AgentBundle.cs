using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>The agent's source, as it is sent into a debug container.</summary>
internal sealed class AgentBundle
{
    private const string Package = "pydebug_agent";

    private readonly Lazy<byte[]> _startUp;

    public AgentBundle(string directory)
    {
        Boot = Read(Path.Join(directory, "boot.py")).Trim();
        Keeper = Read(Path.Join(directory, "keeper.py"));
        _startUp = new(() => Pack(directory));
    }

    /// <summary>The program that takes the agent from its standard input.</summary>
    public string Boot { get; }

    /// <summary>The program the debug container runs.</summary>
    public string Keeper { get; }

    /// <summary>What the boot program expects: length and zlib data of a JSON object of all modules.</summary>
    public byte[] StartUp => _startUp.Value;

    /// <summary>The agent that came with the module.</summary>
    public static AgentBundle Installed()
        => new(Path.GetFullPath(
            Path.Join(Path.GetDirectoryName(typeof(AgentBundle).Assembly.Location), "..", "agent")));

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException e)
        {
            throw new EngineException(
                Causes.AgentStartFailed, $"The module is incomplete: '{path}' cannot be read.", e);
        }
    }

    private static byte[] Pack(string directory)
    {
        JsonObject modules = [];
        string root = Path.Join(directory, Package);
        string[] files = Directory.GetFiles(root, "*.py", SearchOption.AllDirectories);
        foreach (string file in files.Order(StringComparer.Ordinal))
        {
            IEnumerable<string> parts = Path.GetRelativePath(directory, file)[..^3]
                .Split(Path.DirectorySeparatorChar).Where(p => p != "__init__");
            modules.Add(string.Join('.', parts), Read(file));
        }

        using MemoryStream packed = new();
        packed.Write(new byte[4]);
        using (ZLibStream zlib = new(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            zlib.Write(Encoding.UTF8.GetBytes(modules.ToJsonString()));
        }

        byte[] bytes = packed.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(bytes, bytes.Length - 4);
        return bytes;
    }
}
