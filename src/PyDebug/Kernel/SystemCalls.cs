using System;
using System.Collections.Generic;
using System.Globalization;

namespace PyDebug.Tools.Bpftrace;

/// <summary>The names of Linux's system calls, by machine: system-calls.txt, from the kernel's own headers.</summary>
internal static class SystemCalls
{
    private static readonly Lazy<Dictionary<(string Machine, long Number), string>> s_names = new(Read);

    /// <summary>The name of a call; its number where it has none here.</summary>
    public static string Name(string machine, long number)
        => s_names.Value.TryGetValue((machine, number), out string? name)
            ? name
            : number.ToString(CultureInfo.InvariantCulture);

    private static Dictionary<(string Machine, long Number), string> Read()
    {
        Dictionary<(string, long), string> names = [];
        string machine = "";
        foreach (string line in BpftraceLibrary.Resource("system-calls.txt").Split('\n'))
        {
            if (!line.StartsWith(' '))
            {
                machine = line.Trim();
                continue;
            }

            foreach (string word in line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                int colon = word.IndexOf(':', StringComparison.Ordinal);
                names[(machine, long.Parse(word.AsSpan(0, colon), CultureInfo.InvariantCulture))] = word[(colon + 1)..];
            }
        }

        return names;
    }
}
