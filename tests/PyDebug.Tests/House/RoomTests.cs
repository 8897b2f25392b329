using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>The folders of the module's source: who uses whom, by the names of types.</summary>
public sealed partial class RoomTests
{
    /// <summary>What every question stands on, from the ground up: each uses those before it.</summary>
    private static readonly string[] s_ground = ["Text", "Errors", "Shell", "Profiles", "Sessions", "Processes"];

    /// <summary>One question each: they use the ground, and none uses another.</summary>
    private static readonly string[] s_questions =
        ["Stacks", "Tasks", "Time", "Watch", "Memory", "Heap", "Kernel", "PySpy", "Files"];

    /// <summary>What a question uses of another all the same.</summary>
    private static readonly Dictionary<(string From, string To), string[]> s_known = new()
    {
        // py-spy's dump answers the question of Get-PyStack, in the same records.
        [("PySpy", "Stacks")] = ["PyThreadStack"],
    };

    [Fact]
    public void A_folder_uses_only_what_it_may()
    {
        IReadOnlyList<Use> uses = Uses();
        Assert.Contains(uses, u => u is { From: "Stacks", To: "Shell", Type: "AgentRun" });
        Assert.Contains(uses, u => u is { From: "Errors", To: "Text" });

        Assert.Empty(uses.Where(u => !May(u)).Select(u => $"{u.File} ({u.From}) uses {u.Type} ({u.To})").Distinct());
        Assert.Empty(s_known.SelectMany(k => k.Value.Select(type => (k.Key.From, k.Key.To, Type: type)))
            .Where(k => !uses.Any(u => (u.From, u.To, u.Type) == k))
            .Select(k => $"{k.From} no longer uses {k.Type} of {k.To}"));
    }

    [Fact]
    public void No_folders_use_each_other_in_a_circle()
    {
        ILookup<string, string> next = Uses().Select(u => (u.From, u.To)).Distinct().ToLookup(u => u.From, u => u.To);
        HashSet<string> left = [.. s_ground, .. s_questions];
        while (left.FirstOrDefault(room => !next[room].Any(left.Contains)) is string free)
        {
            left.Remove(free);
        }

        Assert.Empty(left);
    }

    [Fact]
    public void Every_folder_is_a_known_one_and_every_type_is_in_a_folder()
    {
        string root = Path.Join(Repository.Root, "src", "PyDebug");
        Assert.Equal(
            s_ground.Concat(s_questions).Order(StringComparer.Ordinal),
            Sources(root).Select(file => RoomOf(root, file)).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_page_on_architecture_says_the_same()
    {
        string page = File.ReadAllText(Path.Join(Repository.Root, "docs", "architecture.md"));
        string[] told = [.. RowPattern().Matches(page.Split("## Folders of the module")[1].Split("\n## ")[0])
            .Select(m => m.Groups[1].Value)];

        Assert.Equal(s_ground.Concat(s_questions), told);
    }

    /// <summary>Who opens a question finds its tests in the folder of the same name.</summary>
    [Fact]
    public void Tests_lie_in_folders_of_the_same_names()
    {
        string root = Path.Join(Repository.Root, "tests", "PyDebug.Tests");
        string[] more = ["Engine", "House", "Sandbox"];
        Assert.Equal(
            s_ground.Concat(s_questions).Concat(more).Order(StringComparer.Ordinal),
            Sources(root).Select(file => RoomOf(root, file)).Distinct().Order(StringComparer.Ordinal));

        string engine = Path.Join(root, "Engine");
        string[] parts = [.. Directory.EnumerateDirectories(engine).Select(folder => Path.GetFileName(folder)!)];
        Assert.All(parts, part => Assert.True(
            part == "Fakes" || Directory.Exists(Path.Join(Repository.Root, "src", "PyDebug.Engine", part)), part));
    }

    private static bool May(Use use)
    {
        int from = Array.IndexOf(s_ground, use.From);
        int to = Array.IndexOf(s_ground, use.To);
        return (to >= 0 && (from < 0 || to < from))
            || (s_known.TryGetValue((use.From, use.To), out string[]? types) && types.Contains(use.Type));
    }

    private static IEnumerable<string> Sources(string root)
        => Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            .Where(file => RoomOf(root, file) is not ("obj" or "bin"));

    private static string RoomOf(string root, string file)
        => Path.GetRelativePath(root, file).Split(Path.DirectorySeparatorChar) is [string room, _, ..] ? room : ".";

    /// <summary>Which folder names a type of which other, by the text of its files.</summary>
    private static List<Use> Uses()
    {
        string root = Path.Join(Repository.Root, "src", "PyDebug");
        Dictionary<string, string> files = Sources(root).ToDictionary(file => file, File.ReadAllText);
        Dictionary<string, string[]> homes = files
            .SelectMany(file => TypePattern().Matches(file.Value)
                .Select(m => (Type: m.Groups[1].Value, Room: RoomOf(root, file.Key))))
            .GroupBy(entry => entry.Type, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Select(entry => entry.Room).Distinct().ToArray(), StringComparer.Ordinal);
        Assert.Empty(
            homes.Where(home => home.Value.Length > 1).Select(home => $"{home.Key}: {string.Join(", ", home.Value)}"));

        List<Use> uses = [];
        foreach ((string file, string text) in files)
        {
            string from = RoomOf(root, file);
            string code = TextPattern().Replace(CommentPattern().Replace(text, ""), "\"\"");
            uses.AddRange(WordPattern().Matches(code)
                .Select(word => word.Value)
                .Distinct()
                .Where(word => homes.TryGetValue(word, out string[]? rooms) && rooms[0] != from)
                .Select(word => new Use(from, homes[word][0], word, Path.GetFileName(file))));
        }

        return uses;
    }

    private sealed record Use(string From, string To, string Type, string File);

    [GeneratedRegex(
        @"^(?:public|internal)(?: sealed| static| abstract| partial| readonly)* (?:class|record "
            + @"struct|record|struct|enum|interface) (\w+)",
        RegexOptions.Multiline)]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"//[^\n]*")]
    private static partial Regex CommentPattern();

    [GeneratedRegex(@"""(?:\\.|[^""\\\n])*""")]
    private static partial Regex TextPattern();

    [GeneratedRegex(@"(?<![.\w])[A-Z]\w+")]
    private static partial Regex WordPattern();

    [GeneratedRegex(@"^\| `(\w+)` \|", RegexOptions.Multiline)]
    private static partial Regex RowPattern();
}
