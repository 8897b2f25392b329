using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>How long files and lines may be, in C#, Python and PowerShell alike.</summary>
public sealed class HouseTests
{
    private const int MostLines = 400;

    private const int MostColumns = 120;

    private static readonly string[] s_kinds = [".cs", ".py", ".ps1"];

    private static readonly string[] s_made = ["bin", "obj", "out"];

    [Fact]
    public void No_file_has_more_lines_than_one_can_read()
        => Assert.Empty(Sources()
            .Where(source => source.Lines.Length > MostLines)
            .Select(source => $"{source.Name}: {source.Lines.Length}"));

    [Fact]
    public void No_line_has_more_columns_than_one_can_read()
        => Assert.Empty(Sources()
            .Select(source => (source.Name, Long: Long(source.Lines)))
            .Where(source => source.Long.Length > 0)
            .Select(source => $"{source.Name}: lines {string.Join(", ", source.Long)}"));

    private static int[] Long(string[] lines)
        => [.. Enumerable.Range(0, lines.Length).Where(i => lines[i].Length > MostColumns).Select(i => i + 1)];

    private static IEnumerable<(string Name, string[] Lines)> Sources()
    {
        string root = Repository.Root;
        IEnumerable<string> files = Directory.EnumerateFiles(root, "*.ps1")
            .Concat(new[] { "src", "tests", "examples", "deploy" }
                .SelectMany(
                    folder => Directory.EnumerateFiles(Path.Join(root, folder), "*", SearchOption.AllDirectories)));
        List<(string Name, string[] Lines)> found =
        [
            .. files.Where(file => s_kinds.Contains(Path.GetExtension(file)))
                .Select(file => (Path.GetRelativePath(root, file).Replace('\\', '/'), File.ReadAllLines(file)))
                .Where(file => !file.Item1.Split('/').Any(part => s_made.Contains(part))),
        ];
        Assert.All(s_kinds, kind => Assert.Contains(found, file => file.Name.EndsWith(kind, StringComparison.Ordinal)));
        return found;
    }
}
