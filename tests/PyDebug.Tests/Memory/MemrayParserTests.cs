using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using PyDebug.Internal;
using PyDebug.Tests.Profiles;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class MemrayParserTests
{
    private const string Least =
        """
        {"pid":1,"seconds":10,"ended":"time","report":{"totals":{"leaked":3000,"leakedCount":3,"peak":5000},
        "timeline":[[0,1000,0],[5,2000,9]],"frames":[["f","/srv/a.py",1],["malloc","/lib/libc.so.6",0]],
        "leaked":[{"size":1000,"count":1,"frames":[1,0]},{"size":2000,"count":2,"frames":[0]}],"peak":[]}}
        """;

    private const long Mebi = 1 << 20;

    private static readonly DateTime s_now = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    private static readonly PodDebugSession s_session = new()
    {
        Namespace = "default",
        PodName = "bad-app",
        ContainerName = "web",
        NodeName = "node-1",
    };

    [Fact]
    public void A_report_keeps_what_the_agent_says_of_the_whole()
    {
        MemrayReport report = Recorded();
        Assert.Equal("default/bad-app/web process 1: 38.1 MiB kept in 30.0 s, peak 41.0 MiB", report.ToString());
        Assert.Equal(("node-1", s_now), (report.NodeName, report.Timestamp));
        Assert.Equal(
            ("3.13.5", "1.20.0", "pymalloc"), (report.PythonVersion, report.MemrayVersion, report.PythonAllocator));
        Assert.Equal(DateTimeKind.Utc, report.Started!.Value.Kind);
        Assert.Equal(
            (214, 9.2, 5.4), (report.HeldMicroseconds, report.PauseMilliseconds, report.UsualPauseMilliseconds));
        Assert.Equal(("Thread", 1L, "epoll_wait"), (report.AttachMethod, report.AttachThreadId, report.AttachPlace));
        Assert.Equal("Same", report.Rehearsal);
        Assert.Equal((128 * Mebi, 110 * Mebi), (report.ContainerLimitBytes, report.ContainerBytes));
        Assert.Equal(
            (402_310L, 812 * Mebi, 29.8), (report.AllocationCount, report.AllocatedBytes, report.PeakAtSeconds));
        Assert.Equal(61, report.Timeline.Count);
        Assert.Equal(
            new MemrayMemoryPoint { Seconds = 0, ResidentBytes = 61 * Mebi, HeapBytes = 0 }, report.Timeline[0]);
        Assert.Equal(["MALLOC", "CALLOC", "MMAP", "REALLOC"], report.Allocators.Select(a => a.Allocator));
        Assert.Equal(5, report.Sizes.Count);
        Assert.Equal(12_900_000, report.CaptureBytes);
        Assert.Equal("Time", report.EndReason);
        Assert.Empty(report.Warnings);
    }

    [Fact]
    public void What_the_agent_recorded_of_a_leak_is_read_whole()
    {
        MemrayReport report = Parse(File.ReadAllText(Fixture.PathOf("memray-1.20.0/leaking-cpython3.13.5.json")))!;
        Assert.Equal("3.13.5", report.PythonVersion);
        Assert.StartsWith("/", report.CommandLine, StringComparison.Ordinal);
        Assert.InRange(report.DurationSeconds, 2.9, 3.5);
        Assert.Empty(report.Warnings);
        RecordTests.AssertRowsSayWhereTheyAreFrom(report);
        Assert.Equal(("remember", 5), (report.Allocations[0].Function, report.Allocations[0].Line));
        Assert.InRange(report.Allocations[0].Bytes / report.Allocations[0].Count, 99_000, 101_000);
        Assert.Equal(report.LeakedBytes, report.Allocations.Sum(a => a.Bytes));

        // What the tracker itself allocated is in memray's sum and not in the list.
        Assert.InRange(report.PeakBytes!.Value - report.PeakAllocations.Sum(a => a.Bytes), 0, 100);
        Assert.InRange(report.PauseMilliseconds!.Value, 0.1, 100);
        Assert.InRange(report.Timeline.Count, 10, 1000);
        Assert.All(Shown(report).Split('\n'), l => Assert.InRange(l.Length, 0, 119));
    }

    [Fact]
    public void The_stacks_and_what_was_left_out_add_up_to_the_sums()
    {
        MemrayReport report = Recorded();
        Assert.Equal(report.LeakedBytes, report.Allocations.Sum(a => a.Bytes) + report.OmittedBytes);
        Assert.Equal(report.LeakedCount, report.Allocations.Sum(a => a.Count) + report.OmittedCount);
        Assert.Equal(report.PeakBytes, report.PeakAllocations.Sum(a => a.Bytes));
        Assert.Equal(Math.Round(report.LeakedBytes!.Value / 30.02, 1), report.LeakedBytesPerSecond);
    }

    [Fact]
    public void An_allocation_says_function_file_line_allocator_and_thread()
    {
        MemrayAllocation first = Recorded().Allocations[0];
        Assert.Equal(("remember", "/srv/shop/app/cache.py", 51), (first.Function, first.FileName, first.Line));
        Assert.Equal(("MMAP", "worker", 2L), (first.Allocator, first.Thread, first.MemrayThreadId));
        Assert.Equal("remember (cache.py:51) < handle (views.py:14)", MemrayText.Stack(first));
        Assert.StartsWith(
            "36.1 MiB in 18,204: remember (cache.py:51) < handle", first.ToString(), StringComparison.Ordinal);
        MemrayAllocation last = Recorded().Allocations[^1];
        Assert.Equal(("", null), (last.Function, last.Thread));
        Assert.Equal("(no Python frames)", MemrayText.Stack(last));
    }

    [Fact]
    public void Stacks_come_with_the_largest_first_and_native_ones_are_named_by_their_Python()
    {
        MemrayReport report = Parse(Least)!;
        Assert.Equal([2000L, 1000L], report.Allocations.Select(a => a.Bytes));
        MemrayAllocation last = report.Allocations[1];
        Assert.Equal(("f", "/srv/a.py", 1), (last.Function, last.FileName, last.Line));
        Assert.Equal(["malloc", "f"], report.Allocations[1].Frames.Select(f => f.Name));
        Assert.Null(report.Allocations[1].Frames[0].Line);
        Assert.Equal("f (a.py:1)", MemrayText.Stack(report.Allocations[1]));
    }

    [Fact]
    public void The_time_until_the_limit_follows_from_how_resident_memory_grew()
    {
        MemrayReport report = Recorded();
        Assert.InRange(report.ResidentBytesPerSecond!.Value, 1.399 * Mebi, 1.401 * Mebi);
        Assert.InRange(report.SecondsToLimit!.Value, 12.8, 13);
        Assert.Null(Changed(r => r["memory"]!["limit"] = null).SecondsToLimit);
        Assert.Equal(0, Changed(r => r["memory"]!["used"] = 129 * Mebi).SecondsToLimit);
    }

    [Fact]
    public void Memory_that_does_not_grow_reaches_no_limit()
    {
        MemrayReport still = Changed(r =>
        {
            JsonArray points = [];
            for (int i = 0; i < 40; i++)
            {
                points.Add(new JsonArray(i, (61 * Mebi) + (i % 2 * 300_000), 0));
            }

            r["report"]!["timeline"] = points;
        });
        Assert.Null(still.SecondsToLimit);
        Assert.Contains(
            "\nRSS                 61.0 MiB -> 61.3 MiB of 128.0 MiB\n", Shown(still), StringComparison.Ordinal);

        // Without resident memory over time, what was kept tells.
        MemrayReport blind = Changed(r => r["report"]!["timeline"] = new JsonArray());
        Assert.Null(blind.ResidentBytesPerSecond);
        Assert.InRange(blind.SecondsToLimit!.Value, 14.1, 14.3);
    }

    [Fact]
    public void What_is_not_known_is_null()
    {
        MemrayReport report = Parse(Least)!;
        Assert.Null(report.ContainerLimitBytes);
        Assert.Null(report.SecondsToLimit);
        Assert.Null(report.AllocatedBytes);
        Assert.Null(report.PauseMilliseconds);
        Assert.Null(report.Started);
        Assert.Null(report.AttachMethod);
        Assert.Null(report.PeakAtSeconds);
        Assert.Empty(report.Allocators);
    }

    [Fact]
    public void A_capture_that_could_not_be_read_leaves_a_report_without_sums()
    {
        MemrayReport report = Changed(r =>
        {
            r["report"] = null;
            r["ended"] = "exited";
        });
        Assert.Null(report.LeakedBytes);
        Assert.Null(report.PeakBytes);
        Assert.Equal("Exited", report.EndReason);
        Assert.Equal("default/bad-app/web process 1: nothing could be read of 30.0 s", report.ToString());
        Assert.Equal(2, report.Warnings.Count);
        Assert.Contains(
            "\nNothing could be read from the capture of 12.3 MiB.", Shown(report), StringComparison.Ordinal);
        Assert.Empty(report.GetStackProfiles(null)[0].Samples);
    }

    [Theory]
    [InlineData("\"pid\":1", "\"pid\":0")]
    [InlineData("\"seconds\":10", "\"seconds\":-1")]
    [InlineData("\"seconds\":10", "\"seconds\":1e300")]
    [InlineData("\"leaked\":3000", "\"leaked\":-3000")]
    [InlineData("\"leaked\":3000", "\"leaked\":9223372036854775807")]
    [InlineData("\"leaked\":3000", "\"leaked\":\"much\"")]
    [InlineData("\"peak\":5000", "\"peek\":5000")]
    [InlineData("\"size\":1000", "\"size\":-1")]
    [InlineData("\"size\":1000", "\"size\":9223372036854775807")]
    [InlineData("\"count\":1,", "\"count\":1e3,")]
    [InlineData("\"frames\":[1,0]", "\"frames\":[1,2]")]
    [InlineData("\"frames\":[1,0]", "\"frames\":[-1]")]
    [InlineData("\"frames\":[1,0]", "\"frames\":[0.5]")]
    [InlineData("[\"f\",\"/srv/a.py\",1]", "[\"f\",\"/srv/a.py\"]")]
    [InlineData("[\"f\",\"/srv/a.py\",1]", "7")]
    [InlineData("[5,2000,9]", "[5,2000]")]
    [InlineData("[5,2000,9]", "[5,-2000,9]")]
    [InlineData("[5,2000,9]", "[1e300,2000,9]")]
    [InlineData("[5,2000,9]", "\"now\"")]
    [InlineData("\"report\":{", "\"report\":7,\"other\":{")]
    public void An_answer_that_contradicts_itself_is_refused(string part, string broken)
    {
        Assert.NotNull(Parse(Least));
        Assert.Contains(part, Least, StringComparison.Ordinal);
        Assert.Null(Parse(Least.Replace(part, broken, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_command_line_comes_as_text_or_as_its_arguments()
    {
        Assert.Equal("python3 /srv/a.py", Parse(Least.Replace("\"pid\":1", "\"pid\":1,\"command\":\"python3 "
            + "/srv/a.py\"", StringComparison.Ordinal))!.CommandLine);
        Assert.Equal("python3 /srv/a.py", Parse(Least.Replace("\"pid\":1", "\"pid\":1,\"command\":[\"python3\","
            + "\"/srv/a.py\"]", StringComparison.Ordinal))!.CommandLine);
        Assert.Null(Parse(Least)!.CommandLine);
    }

    [Fact]
    public void A_first_point_before_the_beginning_is_the_beginning()
        => Assert.Equal(
            0, Parse(Least.Replace("[0,1000,0]", "[-0.002,1000,0]", StringComparison.Ordinal))!.Timeline[0].Seconds);

    [Theory]
    [InlineData("limit", "Limit", "reached -MaximumCaptureBytes or what there is room for")]
    [InlineData("memory", "Memory", "the memory limit was near")]
    [InlineData("exited", "Exited", "The process 1 ended after 10.0 s")]
    [InlineData("tracker", "Tracker", "ended early, after 10.0 s")]
    [InlineData("magic", "Other", "ended early, after 10.0 s")]
    public void An_end_before_its_time_is_said(string ended, string reason, string warning)
    {
        MemrayReport report = Parse(
            Least.Replace("\"ended\":\"time\"", $"\"ended\":\"{ended}\"", StringComparison.Ordinal))!;
        Assert.Equal(reason, report.EndReason);
        Assert.Contains(warning, Assert.Single(report.Warnings), StringComparison.Ordinal);
        Assert.Contains($"\n   {report.Warnings[0]}", Shown(report), StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_lists_do_not_hold_is_said()
    {
        MemrayReport report = Changed(r => r["report"]!["omitted"]!["leaked"]!["size"] = 5_000_000);
        Assert.Contains(
            "7 smaller stacks of process 1, 4.8 MiB in all", Assert.Single(report.Warnings), StringComparison.Ordinal);
        report = Changed(r => r["report"]!["frames"]![2] = new JsonArray("[cut]", "", 0));
        Assert.Contains("4 stacks of process 1 were cut", Assert.Single(report.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8e6, 70e3, "RSS of process 1 grows by 7.6 MiB/s and little of what was allocated "
        + "meanwhile is kept: Get-PyHeap ")]
    [InlineData(8e6, 7e6, null)]
    [InlineData(100e3, 0.0, null)]
    public void Growth_that_nothing_kept_explains_is_put_beside_what_was_kept(
        double resident, double kept, string? warning)
    {
        MemrayReport report = Recorded() with { ResidentBytesPerSecond = resident, LeakedBytesPerSecond = kept };

        string said = string.Join('|', MemrayWarnings.OfContainer(report, [], []));

        Assert.StartsWith(warning ?? "", said, StringComparison.Ordinal);
        Assert.Equal(warning is null, said.Length == 0);
    }

    [Fact]
    public void The_view_says_what_was_kept_the_peak_the_limit_and_five_functions_within_120_columns()
    {
        string[] lines = Shown(Recorded()).Trim('\n').Split('\n');
        Assert.Equal(
            "   default/bad-app/web  process 1  python3 /srv/shop/app/main.py --password ***  30.0 s  "
                + "memray 1.20.0  pause 9 ms",
            lines[0]);
        Assert.Equal("Kept after 30.0 s   38.1 MiB in 19,132 allocations (1.3 MiB/s)", lines[2]);
        Assert.Equal("Peak                41.0 MiB at 29.8 s", lines[3]);
        Assert.Equal(
            "RSS                 61.0 MiB -> 103.0 MiB of 128.0 MiB: the limit is reached in about 15 s at this rate",
            lines[4]);
        Assert.EndsWith("        Size     Count", lines[5], StringComparison.Ordinal);
        Assert.StartsWith("remember (cache.py:51) < handle (views.py:14)  ", lines[6], StringComparison.Ordinal);
        Assert.EndsWith("    36.1 MiB    18,204", lines[6], StringComparison.Ordinal);
        Assert.StartsWith("_compile (__init__.py:351) < route (urls.py:9) < <module> (main.py:3)", lines[9],
            StringComparison.Ordinal);
        Assert.StartsWith("… and 2 more functions; .Allocations has every stack", lines[11], StringComparison.Ordinal);
        Assert.EndsWith("    13.7 KiB        14", lines[11], StringComparison.Ordinal);
        Assert.Equal(12, lines.Length);
        Assert.All(lines, l => Assert.InRange(l.Length, 0, 119));
    }

    [Fact]
    public void Lines_of_one_function_are_one_function()
    {
        string json = Least.Replace(
            "[\"malloc\",\"/lib/libc.so.6\",0]", "[\"f\",\"/srv/a.py\",2]", StringComparison.Ordinal);
        string[] lines = Shown(Parse(json)!).Trim('\n').Split('\n');
        Assert.Equal(7, lines.Length);
        Assert.StartsWith("f (a.py:1)", lines[6], StringComparison.Ordinal);
        Assert.EndsWith("     2.9 KiB         3", lines[6], StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_kept_is_said_in_a_word()
    {
        string shown = Shown(Parse(Least
            .Replace("\"leaked\":3000", "\"leaked\":0", StringComparison.Ordinal)
            .Replace("\"leaked\":[{", "\"none\":[{", StringComparison.Ordinal))!);
        Assert.Contains("Kept after 10.0 s   nothing\n", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("Count", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void Hostile_names_change_nothing_on_the_screen()
    {
        MemrayReport report = Parse(Least
            .Replace("[\"f\"", "[\"x\\n\\u202egpj\\u001b]0;\\u0007\"", StringComparison.Ordinal)
            .Replace("\"pid\":1", "\"pid\":1,\"command\":\"a\\u001b[2J\\nb\",\"memray\":\"1\\u001b[1m\"",
                StringComparison.Ordinal))!;
        string shown = Shown(report) + report + report.Allocations[0] + report.GetStackProfiles(null)[0];
        Assert.DoesNotContain('\u001b', shown);
        Assert.DoesNotContain('\u202e', shown);
        Assert.DoesNotContain('\u0007', shown);
        Assert.Equal(7, Shown(report).Trim('\n').Split('\n').Length);
    }

    [Fact]
    public void A_report_of_a_file_is_of_the_process_that_the_capture_names()
    {
        JsonObject answer = new()
        {
            ["kind"] = "memrayRead",
            ["memray"] = "1.20.0",
            ["report"] = JsonNode.Parse(File.ReadAllText(Fixture.PathOf("cases/memray.json")))!["report"]!.DeepClone(),
        };
        using JsonDocument document = JsonDocument.Parse(answer.ToJsonString());
        MemrayReport report = MemrayParser.ParseRead(document.RootElement, "/tmp/leak.bin", 4096, s_now)!;
        Assert.Equal("leak.bin process 1: 38.1 MiB kept in 30.0 s, peak 41.0 MiB", report.ToString());
        Assert.Equal(("/tmp/leak.bin", 4096L, ""), (report.CapturePath, report.CaptureBytes, report.PodName));
        Assert.Equal(30.02, report.DurationSeconds);
        Assert.Null(report.EndReason);
        Assert.False(MemrayParser.IsCut(report));
        Assert.True(MemrayParser.IsCut(report with { Timeline = [.. report.Timeline.Take(40)] }));
        Assert.True(MemrayParser.IsCut(report with { Timeline = [] }));
        Assert.False(MemrayParser.IsCut(report with { Timeline = [], DurationSeconds = 0 }));
        Assert.Contains("\n   Capture: /tmp/leak.bin", Shown(report), StringComparison.Ordinal);
        using JsonDocument empty = JsonDocument.Parse("""{"kind":"memrayRead","report":null}""");
        Assert.Null(MemrayParser.ParseRead(empty.RootElement, "x", 1, s_now));
    }

    [Fact]
    public void Clixml_loses_nothing()
    {
        MemrayReport report = Recorded();
        PSObject back = (PSObject)PSSerializer.Deserialize(PSSerializer.Serialize(report, 8));
        MemrayReport again = (MemrayReport)RecordReader.Read(back, typeof(MemrayReport));
        Assert.Equal(JsonSerializer.Serialize(report), JsonSerializer.Serialize(again));
        Assert.Equal(Shown(report), MemrayDisplay.Whole(RecordReader.As<MemrayReport>(back)));
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData(1024 * 1024 - 1, "1.0 MiB")]
    [InlineData(1023 * 1024, "1023.0 KiB")]
    [InlineData(128 * Mebi, "128.0 MiB")]
    [InlineData(1024 * Mebi, "1.00 GiB")]
    public void Amounts_are_in_the_units_of_limits(long bytes, string text)
    {
        Assert.Equal(text, Amounts.Bytes(bytes));
        Assert.Equal("", Amounts.Bytes(null));
    }

    [Theory]
    [InlineData(0.2, "1 s")]
    [InlineData(8.6, "9 s")]
    [InlineData(17.9, "20 s")]
    [InlineData(400, "7 min")]
    [InlineData(7200, "2 h")]
    [InlineData(300_000, "3 days")]
    public void Times_to_come_are_round(double seconds, string text) => Assert.Equal(text, Amounts.Ahead(seconds));

    internal static MemrayReport Recorded() => Parse(File.ReadAllText(Fixture.PathOf("cases/memray.json")))!;

    private static MemrayReport Changed(Action<JsonNode> change)
    {
        JsonNode node = JsonNode.Parse(File.ReadAllText(Fixture.PathOf("cases/memray.json")))!;
        change(node);
        return Parse(node.ToJsonString())!;
    }

    private static string Shown(MemrayReport report) => MemrayDisplay.Whole(report);

    private static MemrayReport? Parse(string json)
    {
        using JsonDocument? document = Json.Parse(Encoding.UTF8.GetBytes(json));
        return MemrayParser.Parse(document!.RootElement, s_session, s_now);
    }
}
