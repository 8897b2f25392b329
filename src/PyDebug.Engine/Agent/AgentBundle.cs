using System;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Text;

namespace PyDebug.Engine;

/// <summary>The agent's source, as it is sent into a debug container: what an operation needs of it.</summary>
internal sealed class AgentBundle
{
    private const string Entry = "pydebug_agent.entry";
    private const string Main = "pydebug_agent.main";

    private static readonly Lazy<AgentBundle> s_installed = new(() => new(new AgentSources()));

    private readonly Lazy<AgentModules> _modules;
    private readonly Lazy<byte[]> _loader;
    private readonly Lazy<SortedSet<string>> _first;
    private readonly ConcurrentDictionary<string, SortedSet<string>> _rest = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte[]> _packed = new(StringComparer.Ordinal);

    public AgentBundle(AgentSources sources)
    {
        Boot = sources.Read("boot.py").Trim();
        Keeper = new(sources.Read("keeper_boot.py").Trim(), sources.Read("keeper.py"));
        _modules = new(() => new AgentModules(sources));
        _loader = new(() => Block(Encoding.UTF8.GetBytes(sources.Read("loader.py"))));
        _first = new(() => _modules.Value.NeededBy([Entry]));
        Kept = new(name => _modules.Value.Has(name));
    }

    /// <summary>The agent that is in this assembly: the same for all of a process, and read once.</summary>
    public static AgentBundle Installed => s_installed.Value;

    /// <summary>The program that takes the agent from its standard input.</summary>
    public string Boot { get; }

    /// <summary>The program the debug container runs.</summary>
    public KeeperProgram Keeper { get; }

    /// <summary>What agents compiled and keep in their containers.</summary>
    public KeptCode Kept { get; }

    /// <summary>
    /// What the boot program expects, in blocks of a length and zlib data: the loader; what must be known before
    /// anything is loaded; the modules that look at the memory that is left; and the others that the operation needs.
    /// What is kept in the container is not sent again.
    /// </summary>
    public byte[] StartUp(AgentRequest request, IReadOnlyList<KeptFile> kept)
    {
        StringBuilder header = new();
        header.Append("op ").Append(request.Op).Append('\n');
        header.Append("needs ").Append(AgentModules.NeedsOf(request)).Append('\n');
        header.Append("low ").Append(request.AllowLowMemory ? '1' : '0').Append('\n');
        header.Append("new ").Append(request.NewContainer ? '1' : '0').Append('\n');
        SortedSet<string> rest = _rest.GetOrAdd(request.Op, RestFor);
        List<KeptFile> useful =
            [.. kept.Where(file => _first.Value.Overlaps(file.Modules) || rest.Overlaps(file.Modules))];
        foreach (KeptFile file in useful)
        {
            header.Append("code ").Append(file.Line).Append('\n');
        }

        return
        [
            .. _loader.Value,
            .. Block(Encoding.UTF8.GetBytes(header.ToString())),
            .. useful.Count == 0
                ? _packed.GetOrAdd(request.Op, _ => [.. Pack(_first.Value, []), .. Pack(rest, [])])
                : [.. Pack(_first.Value, useful), .. Pack(rest, useful)],
        ];
    }

    private SortedSet<string> RestFor(string operation)
    {
        SortedSet<string> rest = _modules.Value.NeededBy([Main, AgentModules.ModuleOf(operation)]);
        rest.ExceptWith(_first.Value);
        return rest;
    }

    private byte[] Pack(SortedSet<string> names, List<KeptFile> kept)
        => Block(_modules.Value.Pack(names.Where(name => !kept.Exists(file => file.Modules.Contains(name)))));

    private static byte[] Block(byte[] content)
    {
        if (content.Length == 0)
        {
            // The stream would write nothing at all, which is no zlib data.
            return [0, 0, 0, 8, 0x78, 0x9c, 3, 0, 0, 0, 0, 1];
        }

        using MemoryStream packed = new();
        packed.Write(new byte[4]);
        using (ZLibStream zlib = new(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            zlib.Write(content);
        }

        byte[] bytes = packed.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(bytes, bytes.Length - 4);
        return bytes;
    }
}
