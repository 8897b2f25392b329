using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

namespace PyDebug.Engine;

/// <summary>The agent's files by their paths, with slashes: those that lie in this assembly, or a test's.</summary>
internal sealed class AgentSources
{
    private const string Prefix = "agent/";

    private readonly Func<string, string> _read;

    /// <summary>What is in the assembly.</summary>
    public AgentSources()
    {
        // The build writes paths as its own system does.
        Dictionary<string, string> names = typeof(AgentSources).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .ToDictionary(name => name[Prefix.Length..].Replace('\\', '/'), StringComparer.Ordinal);
        Paths = [.. names.Keys];
        _read = path => ReadResource(names[path]);
    }

    public AgentSources(IReadOnlyDictionary<string, string> files)
    {
        Paths = [.. files.Keys];
        _read = path => files[path];
    }

    public IReadOnlyCollection<string> Paths { get; }

    /// <summary>The text of a file, its lines ended by line feeds alone.</summary>
    public string Read(string path) => _read(path).ReplaceLineEndings("\n");

    private static string ReadResource(string name)
    {
        using Stream stream = typeof(AgentSources).Assembly.GetManifestResourceStream(name)!;
        using StreamReader text = new(stream, Encoding.UTF8);
        return text.ReadToEnd();
    }
}
