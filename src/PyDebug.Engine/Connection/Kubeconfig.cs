using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>One or several kubeconfig files, merged as kubectl merges them: the first to say something wins.</summary>
internal sealed class Kubeconfig
{
    private const int MaxFile = 16 << 20;

    private readonly Dictionary<string, KubeconfigEntry> _clusters = new(StringComparer.Ordinal);
    private readonly Dictionary<string, KubeconfigEntry> _users = new(StringComparer.Ordinal);
    private readonly Dictionary<string, KubeconfigEntry> _contexts = new(StringComparer.Ordinal);
    private readonly List<string> _files = [];

    private Kubeconfig()
    {
    }

    public string? CurrentContext { get; private set; }

    /// <summary>The names of the contexts.</summary>
    public IReadOnlyList<string> Contexts => [.. _contexts.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Whether no file was there, or those that were said nothing.</summary>
    public bool IsEmpty => _clusters.Count == 0 && _contexts.Count == 0;

    public string Sources => _files.Count == 0 ? "no file" : string.Join(", ", _files.Select(f => $"'{f}'"));

    /// <summary>Reads the named file, or the ones that kubectl would read.</summary>
    public static Kubeconfig Load(string? path)
    {
        Kubeconfig merged = new();
        if (path is not null)
        {
            merged.Add(path, mustExist: true);
            return merged;
        }

        string? list = Environment.GetEnvironmentVariable("KUBECONFIG");
        IEnumerable<string> paths = string.IsNullOrEmpty(list)
            ? Home() is string home ? [Path.Join(home, ".kube", "config")] : []
            : list.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries).Distinct();
        foreach (string one in paths)
        {
            merged.Add(
                Path.IsPathFullyQualified(one)
                    ? one
                    : throw new EngineException(
                        Causes.KubeconfigInvalid,
                        $"$env:KUBECONFIG names '{one}', which would be taken from whatever the current directory is; "
                        + "name the file in full, or with -Kubeconfig."),
                mustExist: false);
        }

        return merged;
    }

    public KubeconfigEntry Context(string? name)
    {
        string wanted = name ?? CurrentContext
            ?? throw new EngineException(
                Causes.ContextNotFound, $"No context is named and {Sources} has no current one.")
            {
                Detail = Known(),
            };
        return _contexts.TryGetValue(wanted, out KubeconfigEntry? context)
            ? context
            : throw new EngineException(Causes.ContextNotFound, $"There is no context '{wanted}' in {Sources}.")
            {
                Detail = Known(),
            };
    }

    public KubeconfigEntry Cluster(KubeconfigEntry context) => Named(_clusters, context, "cluster");

    /// <summary>The context's user; null when it names none.</summary>
    public KubeconfigEntry? User(KubeconfigEntry context)
        => context.Text("user") is null ? null : Named(_users, context, "user");

    private static KubeconfigEntry Named(
        Dictionary<string, KubeconfigEntry> entries, KubeconfigEntry context, string kind)
    {
        string name = context.Text(kind) ?? throw context.Invalid($"the context names no {kind}");
        return entries.TryGetValue(name, out KubeconfigEntry? entry)
            ? entry
            : throw context.Invalid($"the context's {kind} '{name}' is not there");
    }

    private static string? Home()
    {
        string home = Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } named
            ? named
            : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return Path.IsPathFullyQualified(home) ? home : null;
    }

    private Dictionary<string, string> Known()
        => new() { ["contexts"] = string.Join(", ", _contexts.Keys.Order(StringComparer.Ordinal)) };

    private void Add(string path, bool mustExist)
    {
        string? text = Read(path, mustExist);
        if (text is null)
        {
            return;
        }

        _files.Add(path);
        JsonObject? file;
        try
        {
            file = Yaml.ParseObject(text);
        }
        catch (FormatException e)
        {
            throw new EngineException(Causes.KubeconfigInvalid, $"Kubeconfig '{path}' cannot be read: {e.Message}.", e);
        }

        if (file is null && !string.IsNullOrWhiteSpace(text))
        {
            throw new EngineException(Causes.KubeconfigInvalid, $"Kubeconfig '{path}' is not a mapping.");
        }

        CurrentContext ??= KubeJson.Text(file, "current-context") is { Length: > 0 } current ? current : null;
        Merge(_clusters, file, "clusters", "cluster", path);
        Merge(_users, file, "users", "user", path);
        Merge(_contexts, file, "contexts", "context", path);
    }

    private static void Merge(
        Dictionary<string, KubeconfigEntry> into, JsonObject? file, string list, string kind, string path)
    {
        JsonNode? node = KubeJson.At(file, list);
        if (node is not null and not JsonArray)
        {
            throw new EngineException(Causes.KubeconfigInvalid, $"Kubeconfig '{path}': '{list}' is not a list.");
        }

        foreach (JsonObject item in KubeJson.Objects(file, list))
        {
            string? name = KubeJson.At(item, "name")?.ToString();
            if (name is not null)
            {
                into.TryAdd(name, new() { Name = name, Value = KubeJson.Object(item, kind) ?? [], File = path });
            }
        }
    }

    private static string? Read(string path, bool mustExist)
    {
        try
        {
            return mustExist || File.Exists(path) ? SmallFile.ReadText(path, MaxFile) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new EngineException(
                Causes.KubeconfigInvalid, $"Kubeconfig '{path}' cannot be read{SmallFile.Why(e)}.", e);
        }
    }
}
