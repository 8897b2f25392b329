using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

namespace PyDebug.Sandbox.Node;

/// <summary>The sandbox's own cgroups, in the v1 hierarchies or in the unified one.</summary>
internal static class Cgroups
{
    private const string Root = "/sys/fs/cgroup";

    /// <summary>True where the machine has cgroup v2 alone.</summary>
    public static bool IsUnified { get; } = File.Exists(Root + "/cgroup.controllers");

    /// <summary>Sets a group's memory limit in bytes. The group must exist.</summary>
    public static void LimitMemory(string group, long bytes)
    {
        string file = IsUnified ? $"{Root}{group}/memory.max" : $"{Root}/memory{group}/memory.limit_in_bytes";
        if (File.Exists(file))
        {
            File.WriteAllText(file, bytes.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Processes anywhere below a group.</summary>
    public static IReadOnlyList<int> ProcessesBelow(string group) =>
        Directories(group)
            .SelectMany(home => Directory.EnumerateFiles(home, "cgroup.procs", SearchOption.AllDirectories))
            .SelectMany(ReadPids).Distinct().ToList();

    /// <summary>Removes a group and all below it. Groups that still hold processes stay.</summary>
    public static void Remove(string group)
    {
        foreach (string home in Directories(group).ToList())
        {
            IEnumerable<string> deepestFirst = Directory.EnumerateDirectories(home, "*", SearchOption.AllDirectories)
                .OrderByDescending(path => path.Length).Append(home).ToList();
            foreach (string directory in deepestFirst)
            {
                try
                {
                    Directory.Delete(directory);
                }
                catch (IOException)
                {
                }
            }
        }
    }

    /// <summary>Where a group is present: once per v1 hierarchy, or once.</summary>
    public static IEnumerable<string> Directories(string group)
    {
        IEnumerable<string> roots = IsUnified ? [Root] : Directory.EnumerateDirectories(Root);
        return roots.Select(root => root + group).Where(Directory.Exists);
    }

    private static IEnumerable<int> ReadPids(string file)
    {
        try
        {
            return File.ReadLines(file).Select(line => int.Parse(line, CultureInfo.InvariantCulture)).ToList();
        }
        catch (IOException)
        {
            return [];
        }
    }
}
