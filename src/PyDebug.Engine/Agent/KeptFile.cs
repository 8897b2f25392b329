using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>A file in a debug container with modules that an agent compiled there.</summary>
internal sealed class KeptFile
{
    private const int LongestPath = 256;

    private const int MostModules = 512;

    private const long Largest = 16 << 20;

    private KeptFile(string line, HashSet<string> modules)
    {
        Line = line;
        Modules = modules;
    }

    /// <summary>Size, SHA-256, the interpreter's magic number and path, as the loader reads them.</summary>
    public string Line { get; }

    /// <summary>The modules in it.</summary>
    public IReadOnlySet<string> Modules { get; }

    /// <summary>What an agent says that it kept; null where it says anything else.</summary>
    public static KeptFile? Read(JsonObject? told, Func<string, bool> isModule)
    {
        string path = KubeJson.Text(told, "path") ?? "";
        string hash = KubeJson.Text(told, "sha256") ?? "";
        string magic = KubeJson.Text(told, "magic") ?? "";
        List<string> names = KubeJson.Texts(told, "modules");
        long? size = KubeJson.Integer(told, "size");
        bool isGood = path.StartsWith('/') && path.Length <= LongestPath
            && path.All(letter => letter is > ' ' and <= '~')
            && hash.Length == 64 && hash.All(char.IsAsciiHexDigitLower)
            && magic.Length is > 0 and <= 16 && magic.All(char.IsAsciiHexDigitLower)
            && size is > 0 and <= Largest
            && names.Count is > 0 and <= MostModules && names.TrueForAll(name => isModule(name));
        return isGood
            ? new(string.Create(CultureInfo.InvariantCulture, $"{size} {hash} {magic} {path}"), [.. names])
            : null;
    }
}
