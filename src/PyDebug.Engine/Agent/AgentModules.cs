using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;

namespace PyDebug.Engine;

/// <summary>The modules of the agent, and which of them import which.</summary>
internal sealed partial class AgentModules
{
    private const string Package = "pydebug_agent";

    /// <summary>
    /// What an agent has taken by the time it has looked at the memory that is left, with the margin that it leaves:
    /// the bytes of a pod of 128 MiB that were gone then, on Kubernetes 1.36 with cgroup v1.
    /// </summary>
    private const long AgentStart = 7L << 20;

    private readonly AgentSources _files;
    private readonly Dictionary<string, string> _paths = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _texts = new(StringComparer.Ordinal);
    private readonly HashSet<string> _packages = new(StringComparer.Ordinal);

    public AgentModules(AgentSources files)
    {
        _files = files;
        foreach (string path in files.Paths)
        {
            if (path != "keeper.py" && !path.StartsWith($"{Package}/", StringComparison.Ordinal))
            {
                continue;
            }

            string[] parts = path[..^3].Split('/');
            bool isPackage = parts[^1] == "__init__";
            string name = string.Join('.', isPackage ? parts[..^1] : parts);
            _paths[name] = path;
            if (isPackage)
            {
                _packages.Add(name);
            }
        }
    }

    /// <summary>Whether there is a module of this name.</summary>
    public bool Has(string name) => _paths.ContainsKey(name);

    /// <summary>The module that answers a request; that of an unknown operation is the agent's to refuse.</summary>
    public static string ModuleOf(string operation)
        => Operations.All.TryGetValue(operation, out AgentOperation? known) ? $"{Package}.{known.Module}" : Package;

    /// <summary>
    /// What an operation needs, with its agent's start: <c>Reading stacks needs 11.0 MiB of memory</c>.
    /// </summary>
    public static string NeedOf(AgentRequest request)
    {
        string words = Operations.All.TryGetValue(request.Op, out AgentOperation? known) ? known.Words : "An answer";
        return $"{words} needs {PodMemory.Mebibytes(NeedsOf(request) + AgentStart)} of memory";
    }

    /// <summary>The bytes that an operation takes beside the agent itself; null for one that is unknown.</summary>
    public static long? NeedsOf(string operation)
        => Operations.All.TryGetValue(operation, out AgentOperation? known) ? known.Needs : null;

    /// <summary>The bytes that a request takes beside the agent itself.</summary>
    public static long NeedsOf(AgentRequest request)
        => Operations.All.TryGetValue(request.Op, out AgentOperation? known) ? known.NeedsOf(request.Body) : 0;

    /// <summary>Some modules and all that they import, wherever in them they do, and so on.</summary>
    public SortedSet<string> NeededBy(IEnumerable<string> names)
    {
        SortedSet<string> found = new(StringComparer.Ordinal);
        Stack<string> left = new(names);
        while (left.TryPop(out string? name))
        {
            if (!Has(name) || !found.Add(name))
            {
                continue;
            }

            left.Push(Parent(name));
            foreach (string other in Imported(name, Source(name)))
            {
                left.Push(other);
            }
        }

        return found;
    }

    /// <summary>
    /// Modules as the agent's loader takes them: for each a line with name and length, then its source.
    /// </summary>
    public byte[] Pack(IEnumerable<string> names)
    {
        List<byte> packed = [];
        foreach (string name in names)
        {
            byte[] source = Encoding.UTF8.GetBytes(Source(name));
            packed.AddRange(Encoding.UTF8.GetBytes($"{name} {source.Length}\n"));
            packed.AddRange(source);
        }

        return [.. packed];
    }

    private string Source(string name) => _texts.GetOrAdd(name, other => _files.Read(_paths[other]));

    private IEnumerable<string> Imported(string name, string source)
    {
        foreach (Match match in ImportPattern().Matches(source))
        {
            yield return Served(match.Groups["name"].Value);
        }

        foreach (Match match in FromPattern().Matches(source))
        {
            string whole = Absolute(name, match.Groups["dots"].Length, match.Groups["module"].Value);
            yield return Served(whole);
            foreach (string word in match.Groups["names"].Value.Split(
                ['(', ')', ',', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                yield return $"{whole}.{word.Split(' ')[0]}";
            }
        }

        // The text of a module that is run elsewhere.
        foreach (Match match in TextPattern().Matches(source))
        {
            yield return $"{Parent(name)}.{match.Groups["name"].Value}";
        }
    }

    /// <summary>For a module of the standard library stands ours.</summary>
    private static string Served(string name) => name == "typing" ? $"{Package}.typing" : name;

    private string Absolute(string name, int dots, string module)
    {
        if (dots == 0)
        {
            return module;
        }

        string[] parts = name.Split('.');
        IEnumerable<string> whole = parts.Take(parts.Length + (_packages.Contains(name) ? 1 : 0) - dots);
        return string.Join('.', module.Length == 0 ? whole : whole.Append(module));
    }

    private static string Parent(string name)
        => name.LastIndexOf('.') is int place and > 0 ? name[..place] : "";

    [GeneratedRegex(@"^[ \t]*import (?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex ImportPattern();

    [GeneratedRegex(
        @"^[ \t]*from (?<dots>\.*)(?<module>[\w.]*) import (?<names>\([^)]*\)|[^#\n]*)", RegexOptions.Multiline)]
    private static partial Regex FromPattern();

    [GeneratedRegex(@"\b(?:program|source_of)\(""(?<name>\w+)""")]
    private static partial Regex TextPattern();
}
