using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>The folders of the module's source: no two more of them use each other both ways.</summary>
public sealed partial class RoomTests
{
    /// <summary>Those that do so now. The list gets shorter, and never longer.</summary>
    private static readonly HashSet<string> s_known =
    [
        "Commands<>Completion", "Commands<>Model", "Commands<>Watch", "Errors<>.", "Errors<>Internal", "Errors<>Model",
        "Heap<>Internal", "Internal<>Model", "Internal<>Profiles", "Internal<>Profiles/Flame", "Internal<>Watch",
        "Model<>Profiles",
    ];

    [Fact]
    public void No_more_folders_use_each_other_both_ways()
    {
        HashSet<(string From, string To)> arrows = Arrows("PyDebug");
        Assert.Contains(("Commands", "Model"), arrows);

        Assert.Empty(arrows.Where(arrow => string.CompareOrdinal(arrow.From, arrow.To) < 0)
            .Where(arrow => arrows.Contains((arrow.To, arrow.From)))
            .Where(arrow => !s_known.Contains($"{arrow.From}<>{arrow.To}") && !s_known.Contains($"{arrow.To}<>{arrow.From}"))
            .Select(arrow => $"{arrow.From} and {arrow.To}"));
    }

    /// <summary>Which folder names a type of which other, by the text of its files.</summary>
    private static HashSet<(string From, string To)> Arrows(string project)
    {
        string root = Path.Join(Repository.Root, "src", project);
        Dictionary<string, string> files = Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            .Where(file => !Path.GetRelativePath(root, file).Split('/')[0].Equals("obj", StringComparison.Ordinal))
            .Where(file => !Path.GetRelativePath(root, file).Split('/')[0].Equals("bin", StringComparison.Ordinal))
            .ToDictionary(file => file, File.ReadAllText);
        string RoomOf(string file) => Path.GetDirectoryName(Path.GetRelativePath(root, file)) is { Length: > 0 } room ? room : ".";
        Dictionary<string, string[]> homes = files
            .SelectMany(file => TypePattern().Matches(file.Value).Select(m => (Type: m.Groups[1].Value, Room: RoomOf(file.Key))))
            .GroupBy(entry => entry.Type, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Select(entry => entry.Room).Distinct().ToArray(), StringComparer.Ordinal);
        HashSet<(string From, string To)> arrows = [];
        foreach ((string file, string text) in files)
        {
            string code = TextPattern().Replace(CommentPattern().Replace(text, ""), "\"\"");
            foreach (Match word in WordPattern().Matches(code))
            {
                // What two folders have under one name cannot be told apart by that.
                if (homes.TryGetValue(word.Value, out string[]? rooms) && rooms.Length == 1 && rooms[0] != RoomOf(file))
                {
                    arrows.Add((RoomOf(file), rooms[0]));
                }
            }
        }

        return arrows;
    }

    [GeneratedRegex(
        @"^(?:public|internal)(?: sealed| static| abstract| partial| readonly)* (?:class|record struct|record|struct|enum|interface) (\w+)",
        RegexOptions.Multiline)]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"//[^\n]*")]
    private static partial Regex CommentPattern();

    [GeneratedRegex(@"""(?:\\.|[^""\\\n])*""")]
    private static partial Regex TextPattern();

    [GeneratedRegex(@"(?<![.\w])[A-Z]\w+")]
    private static partial Regex WordPattern();
}
