using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using FsCheck;
using FsCheck.Fluent;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>Files and folders that are copied over connections that break.</summary>
public sealed class TransferTests
{
    private static readonly DateTime s_written = DateTime.UnixEpoch.AddSeconds(1_600_000_000);

    public static TheoryData<string, bool> Cuts
        => new(new[] { FaultKind.Reset, FaultKind.Success, FaultKind.Close, FaultKind.Drop, FaultKind.Lost }
            .SelectMany(k => new[] { (k.ToString(), false), (k.ToString(), true) }));

    [Theory]
    [MemberData(nameof(Cuts))]
    public async Task A_file_comes_whole_through_ten_cuts(string kind, bool v5)
    {
        byte[] content = Bytes(1_500_000);
        FakeFileAgent agent = new()
        {
            Fails = t => t < 10 ? new(t == 4 ? FaultKind.ResetFirst : Enum.Parse<FaultKind>(kind), 100_000 + t)
                : Fault.None,
        };
        agent.Files[""] = content;
        using Transfer transfer = new(agent, v5);

        await transfer.ReceiveAsync(transfer.At("file"));

        Assert.Equal(content, File.ReadAllBytes(transfer.At("file")));
        Assert.Equal(["file"], transfer.Names);
        Assert.Equal(s_written, File.GetLastWriteTimeUtc(transfer.At("file")));
        Assert.Equal(10, transfer.Pauses.Count);
        IEnumerable<int> offsets = agent.Asked.Skip(1).Select(a => a["resume"]!["offset"]!.GetValue<int>());
        Assert.Equal(offsets.Order().Distinct(), offsets);
        Assert.Equal(100_000 + 100_001 + 100_002, offsets.ElementAt(2));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(transfer.At("file")));
        }
    }

    [Theory]
    [InlineData(nameof(FaultKind.ResetLast))]
    [InlineData(nameof(FaultKind.NoStatus))]
    public async Task A_cut_behind_the_last_byte_costs_nothing(string kind)
    {
        FakeFileAgent agent = new() { Fails = t => t == 0 ? new(Enum.Parse<FaultKind>(kind)) : Fault.None };
        agent.Files[""] = Bytes(70_000);
        using Transfer transfer = new(agent);

        await transfer.ReceiveAsync(transfer.At("file"));

        Assert.Equal(agent.Files[""], File.ReadAllBytes(transfer.At("file")));
    }

    [Fact]
    public async Task Where_nothing_comes_any_more_it_ends_with_the_cuts_own_error_and_no_file()
    {
        FakeFileAgent agent = new() { Fails = t => t == 0 ? new(FaultKind.Reset, 10_000) : new(FaultKind.ResetFirst) };
        agent.Files[""] = Bytes(70_000);
        using Transfer transfer = new(agent);

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => transfer.ReceiveAsync(transfer.At("file")));

        Assert.Contains(e.Cause, new[] { Causes.ConnectionFailed, Causes.OutcomeUnknown });
        Assert.Empty(transfer.Names);
        Assert.InRange(transfer.Pauses.Count, 5, 10);
        Assert.All(transfer.Pauses, p => Assert.InRange(p, TimeSpan.Zero, TimeSpan.FromSeconds(8)));
    }

    [Fact]
    public async Task A_server_that_never_answered_is_not_tried_again()
    {
        FakeFileAgent agent = new() { Fails = _ => new(FaultKind.ResetFirst) };
        using Transfer transfer = new(agent);

        await Assert.ThrowsAsync<EngineException>(() => transfer.ReceiveAsync(transfer.At("file")));

        Assert.Empty(transfer.Pauses);
    }

    [Fact]
    public async Task Another_exit_code_than_0_is_no_success()
    {
        FakeFileAgent agent = new() { Exit = 42 };
        agent.Files[""] = Bytes(10);
        using Transfer transfer = new(agent);

        PyDebugException e = await Assert.ThrowsAsync<PyDebugException>(
            () => transfer.ReceiveAsync(transfer.At("file")));

        Assert.Contains("exit code 42", e.Message);
    }

    [Fact]
    public async Task A_folder_comes_whole_through_cuts_within_its_files_and_between_them()
    {
        FakeFileAgent agent = new() { Fails = t => t < 6 ? new(FaultKind.Reset, 30_000) : Fault.None };
        foreach (string name in new[] { "a", "b/one", "b/two", "c/d/e", "z" })
        {
            agent.Files[name] = Bytes(name.Length * 15_000);
        }

        using Transfer transfer = new(agent);

        await transfer.ReceiveAsync(transfer.At("in"), recurse: true);

        Assert.Equal(agent.Files.Keys.Select(k => $"in/{k}"), transfer.Names);
        Assert.All(agent.Files, f => Assert.Equal(f.Value, File.ReadAllBytes(transfer.At($"in/{f.Key}"))));
        Assert.All(agent.Files, f => Assert.Equal(s_written, File.GetLastWriteTimeUtc(transfer.At($"in/{f.Key}"))));
    }

    [Fact]
    public async Task What_cannot_be_written_is_left_out_and_the_rest_comes()
    {
        FakeFileAgent agent = new();
        foreach (
            string name in new[] { "../out", "a/../../out", "a//b", "b\u001b[2J", "kept", "link/x", "new", "taken/x" })
        {
            agent.Files[name] = Bytes(100);
        }

        using Transfer transfer = new(agent);
        Directory.CreateDirectory(transfer.At("in"));
        Directory.CreateDirectory(transfer.At("elsewhere"));
        File.WriteAllText(transfer.At("in/kept"), "mine");
        File.WriteAllText(transfer.At("in/taken"), "mine");
        Directory.CreateSymbolicLink(transfer.At("in/link"), transfer.At("elsewhere"));

        PyDebugException e = await Assert.ThrowsAsync<PyDebugException>(
            () => transfer.ReceiveAsync(transfer.At("in"), recurse: true, noClobber: true));

        Assert.StartsWith("FilesLeftOut", e.ErrorRecord.FullyQualifiedErrorId);
        Assert.Contains("1 file was copied, and 7 entries were left out", e.Message);
        Assert.Equal(["in/kept", "in/new", "in/taken"], transfer.Names);
        Assert.Equal("mine", File.ReadAllText(transfer.At("in/kept")));
        Assert.Empty(Directory.GetFileSystemEntries(transfer.At("elsewhere")));
    }

    [Theory]
    [InlineData("/proc/in", true)]
    [InlineData("/sys/in", true)]
    [InlineData("/proc/in", false)]
    [InlineData("long", true)]
    [InlineData("long", false)]
    [InlineData("deep", true)]
    [InlineData("deep", false)]
    [InlineData("file", true)]
    [InlineData("file/in", true)]
    [InlineData("file/in", false)]
    [InlineData("dangling", true)]
    public async Task Where_nothing_can_be_written_it_ends_with_one_error_and_nothing_is_left(
        string place, bool recurse)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "These places are Linux's.");
        FakeFileAgent agent = new();
        agent.Files[recurse ? "a/b" : ""] = Bytes(200_000);
        using Transfer transfer = new(agent);
        File.WriteAllText(transfer.At("file"), "mine");
        File.CreateSymbolicLink(transfer.At("dangling"), transfer.At("nowhere/in"));
        string local = place switch
        {
            "long" => transfer.At(new string('n', 300)),
            "deep" => transfer.At(string.Join('/', Enumerable.Repeat(new string('d', 200), 30))),
            _ => Path.Combine(transfer.Folder, place),
        };

        PyDebugException e = await Assert.ThrowsAsync<PyDebugException>(() => transfer.ReceiveAsync(local, recurse));

        Assert.StartsWith("DestinationInvalid", e.ErrorRecord.FullyQualifiedErrorId);
        Assert.Equal("mine", File.ReadAllText(transfer.At("file")));
        Assert.Equal(
            ["dangling", "file"], new DirectoryInfo(transfer.Folder).GetFileSystemInfos().Select(f => f.Name).Order());
        // The next one is not hindered.
        await transfer.ReceiveAsync(transfer.At("good"), recurse);
        Assert.Equal(200_000, new FileInfo(transfer.At(recurse ? "good/a/b" : "good")).Length);
    }

    [Fact]
    public async Task A_folder_that_there_is_no_room_for_is_not_made()
    {
        FakeFileAgent agent = new() { Announced = 1L << 59 };
        agent.Files["a"] = Bytes(10);
        using Transfer transfer = new(agent);
        Directory.CreateDirectory(transfer.At("there"));

        foreach (string place in new[] { "in", "there" })
        {
            PyDebugException e = await Assert.ThrowsAsync<PyDebugException>(
                () => transfer.ReceiveAsync(transfer.At(place), recurse: true));
            Assert.StartsWith("DiskFull", e.ErrorRecord.FullyQualifiedErrorId);
        }

        Assert.Equal([transfer.At("there")], Directory.GetFileSystemEntries(transfer.Folder));
    }

    [Fact]
    public async Task What_is_called_too_long_for_this_side_is_left_out_and_the_rest_comes()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Its limits are Linux's.");
        FakeFileAgent agent = new();
        string most = new('m', 255);
        string deep = string.Join('/', Enumerable.Repeat(new string('d', 200), 30));
        foreach (string name in new[] { "a", $"{most}", $"{most}m", $"{deep}/x", $"{most}m/x", "z" })
        {
            agent.Files[name] = Bytes(100);
        }

        using Transfer transfer = new(agent);

        PyDebugException e = await Assert.ThrowsAsync<PyDebugException>(
            () => transfer.ReceiveAsync(transfer.At("in"), recurse: true));

        Assert.StartsWith("FilesLeftOut", e.ErrorRecord.FullyQualifiedErrorId);
        Assert.Contains("3 files were copied, and 3 entries were left out", e.Message);
        Assert.Equal(["in/a", $"in/{most}", "in/z"], transfer.Names);
    }

    [Fact]
    public async Task More_files_than_a_folder_may_have_are_refused_before_the_first()
    {
        FakeFileAgent agent = new();
        for (int i = 0; i <= PodFileReceiver.MostFiles; i++)
        {
            agent.Files[$"{i}"] = [];
        }

        using Transfer large = new(agent);

        PyDebugException e = await Assert.ThrowsAsync<PyDebugException>(
            () => large.ReceiveAsync(large.At("in"), recurse: true));

        Assert.StartsWith("LimitExceeded", e.ErrorRecord.FullyQualifiedErrorId);
        Assert.Empty(Directory.GetFileSystemEntries(large.Folder));
    }

    [Theory]
    [MemberData(nameof(Cuts))]
    public async Task A_file_goes_whole_through_cuts(string kind, bool v5)
    {
        FakeFileAgent agent = new() { Fails = t => t < 6 ? new(Enum.Parse<FaultKind>(kind), 80_000) : Fault.None };
        using Transfer transfer = new(agent, v5);
        byte[] content = Bytes(1_000_000);
        File.WriteAllBytes(transfer.At("file"), content);

        await transfer.SendAsync(transfer.At("file"));

        Assert.Equal(content, agent.Stored[""]);
        Assert.Equal(Enumerable.Range(0, 7), agent.Asked.Select(a => a["try"]!.GetValue<int>()));
        Assert.Single(agent.Asked.Select(a => a["token"]!.ToString()).Distinct());
    }

    [Fact]
    public async Task A_folder_goes_whole_through_cuts_and_links_are_left_out()
    {
        FakeFileAgent agent = new() { Fails = t => t < 4 ? new(FaultKind.Reset, 50_000) : Fault.None };
        using Transfer transfer = new(agent);
        Dictionary<string, byte[]> files =
            new() { ["a"] = Bytes(0), ["b/one"] = Bytes(120_000), ["b/two"] = Bytes(90_000) };
        foreach ((string name, byte[] content) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(transfer.At(name))!);
            File.WriteAllBytes(transfer.At(name), content);
        }

        File.CreateSymbolicLink(transfer.At("link"), "/etc/passwd");

        PyDebugException e = await Assert.ThrowsAsync<PyDebugException>(() => transfer.SendAsync(transfer.Folder));

        Assert.Contains("3 files were copied, and 1 entry was left out", e.Message);
        Assert.Equal(files.Keys.Order(), agent.Stored.Keys.Order());
        Assert.All(files, f => Assert.Equal(f.Value, agent.Stored[f.Key]));
    }

    [Theory]
    [InlineData("CON", true, true, "name")]
    [InlineData("a/nul.txt", true, true, "name")]
    [InlineData("a/b.", true, true, "name")]
    [InlineData("a/b ", true, true, "name")]
    [InlineData("a:b", true, true, "name")]
    [InlineData("a\\b", true, true, "name")]
    [InlineData("a\\b", false, false, null)]
    [InlineData("con", false, false, null)]
    [InlineData("a:b", false, false, null)]
    [InlineData("..", false, false, "name")]
    [InlineData("a/./b", false, false, "name")]
    [InlineData("", false, false, "name")]
    [InlineData("/a", false, false, "name")]
    [InlineData("a/", false, false, "name")]
    [InlineData("a\u202eb", false, false, "name")]
    [InlineData("a\nb", false, false, "name")]
    public void A_name_is_one_that_this_system_can_have_as_it_is(
        string path, bool onWindows, bool ignoreCase, string? why)
        => Assert.Equal(why, new TreeNames(onWindows, ignoreCase).WhyNot(path));

    [Fact]
    public void Names_that_are_one_here_are_taken_once()
    {
        TreeNames blind = new(onWindows: false, ignoreCase: true);
        TreeNames seeing = new(onWindows: false, ignoreCase: false);

        Assert.Equal(
            [null, "case", null, "case", null], new[] { "a/Log", "a/log", "a/b", "A/c", "d" }.Select(blind.WhyNot));
        Assert.All(new[] { "a/Log", "a/log", "A/c" }, n => Assert.Null(seeing.WhyNot(n)));
    }

    [Fact]
    public void No_path_leads_out_of_the_folder()
    {
        using Transfer transfer = new(new FakeFileAgent());
        LocalFolder folder = new(transfer.At("in"), new PodTarget("shop", "web-0", "app", null));
        folder.Create();
        Gen<string> part = Gen.Elements(
            "a", "..", ".", "", "A", "b c", "c:", "\\", "\\\\?\\C:", "CON", "nul.txt", "x:y", "e.", " ", "\0", "\u202e",
            "\ud800", "~", "%2e%2e");
        Gen<string> path = part.ArrayOf().Select(parts => string.Join('/', parts));

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(3000), Prop.ForAll(path.ToArbitrary(), text =>
        {
            string? place = folder.Place(text, out string why);
            Assert.Equal(place is null, why.Length > 0);
            Assert.True(place is null || Path.GetFullPath(place) == place);
            Assert.True(
                place is null || place.StartsWith(folder.Path + Path.DirectorySeparatorChar, StringComparison.Ordinal));
        }));
        Assert.Equal(["in"], new DirectoryInfo(transfer.Folder).GetFileSystemInfos().Select(f => f.Name));
    }

    [Theory]
    [InlineData(5L << 20, 10L << 20, 1048576, "x: 5.0 of 10.0 MiB, 1.0 MiB/s, 0:00:05 left")]
    [InlineData(0, 10L << 20, 0, "x: 0.0 of 10.0 MiB")]
    [InlineData(11L << 20, 10L << 20, 1048576, "x: 11.0 of 10.0 MiB, 1.0 MiB/s, 0:00:00 left")]
    [InlineData(0, long.MaxValue, 1, "x: 0.0 of 8,796,093,022,208.0 MiB, 0.0 MiB/s, 99:0:00:00 left")]
    public void Progress_has_the_rate_and_the_time_that_is_left(long moved, long total, double rate, string text)
        => Assert.Equal(text, TransferProgress.Text("x", moved, total, rate));

    private static byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        new Random(count).NextBytes(bytes);
        return bytes;
    }
}
