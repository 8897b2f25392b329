using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;
using PyDebug.Profiles;
using PyDebug.Tests.Profiles;
using PyDebug.Tools.Bpftrace;
using Xunit;

namespace PyDebug.Tests.Tools;

/// <summary>What bpftrace does to texts and numbers on their way into JSON, undone.</summary>
public sealed class BpftraceTextTests
{
    private static readonly DateTime s_now = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    public static TheoryData<string> Versions => new("0.17.0", "0.23.2", "0.27.1");

    [Theory]
    [MemberData(nameof(Versions))]
    public void Letters_of_every_alphabet_come_as_they_were(string version)
    {
        IReadOnlyList<object> records = Read(version, "letters").Records;
        BpftraceMap[] maps = [.. records.OfType<BpftraceMap>()];

        Assert.Equal("na\u00efve", records.OfType<BpftraceEvent>().First(e => e.Kind == "Print").Text);
        Assert.Equal(["gr\u00f6\u00dfe", "1, gr\u00f6\u00dfe"], records.OfType<BpftraceEvent>().Where(
            e => e.Kind == "Value").Select(e => e.Text));
        Assert.Equal(["gr\u00f6\u00dfe"], maps.Single(m => m.Map == "@").Keys);
        Assert.Equal(["gr\u00f6\u00dfe", 7L], maps.Single(m => m.Map == "@one").Keys);
        Assert.Equal(["gr\u00f6\u00dfe\u240a\"x\\", "\u65e5\u672c"], maps.Single(m => m.Map == "@two").Keys);
        Assert.Equal("gr\u00f6\u00dfe", maps.Single(m => m.Map == "@str").Value);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Numbers_beyond_what_a_double_holds_are_numbers_and_keep_their_last_digit(string version)
    {
        BpftraceMap[] maps = [.. Read(version, "letters").Records.OfType<BpftraceMap>()];
        BpftraceMap stats = maps.Single(m => m.Map == "@st");

        Assert.Equal(9007199254740993L, maps.Single(m => m.Map == "@big").Value);
        Assert.Equal(long.MaxValue, maps.Single(m => m.Map == "@max").Value);
        Assert.Equal(-long.MaxValue, maps.Single(m => m.Map == "@min").Value);
        Assert.Equal(("Stats", 1L, 9007199254740992.0), (stats.Kind, stats.Count, stats.Total));
    }

    [Fact]
    public void A_program_that_warns_and_keeps_a_series_is_understood()
    {
        (BpftraceOutput output, IReadOnlyList<object> records) = Read("0.27.1", "later-shapes");
        BpftraceMap[] maps = [.. records.OfType<BpftraceMap>()];

        Assert.Equal(
            [("Warning", "careful gr\u00f6\u00dfe"), ("Error", "bad"), ("Print", "x")],
            records.OfType<BpftraceEvent>().Select(e => (e.Kind, e.Text)));
        BpftraceMap series = maps.Single(m => m.Map == "@tk");
        Assert.Equal(("TimeSeries", 6L), (series.Kind, series.Value));
        Assert.Equal(("2026-11-30 10:07:31.500000000", 6L), (series.Points[0].Start, series.Points[0].Value));
        BpftraceMap histogram = maps.Single(m => m.Map == "@hh");
        Assert.Equal(("Histogram", 18014398509481983), (histogram.Kind, histogram.Buckets[0].Maximum));
        Assert.Equal(27021597764222979.0, maps.Single(m => m.Map == "@stat").Total);
        Assert.Equal([1L, 9007199254740993L], (object[])maps.Single(m => m.Map == "@i").Value!);
        Assert.Equal((0L, true), (output.UnreadLines, output.HasTextKeys));
    }

    [Fact]
    public void Counts_that_come_in_hexadecimal_behind_an_escape_are_decimal_again()
    {
        (BpftraceOutput output, IReadOnlyList<object> records) = Read("0.27.1", "hex");
        BpftraceMap[] maps = [.. records.OfType<BpftraceMap>()];

        Assert.Equal([26L, 26L, 26L], maps.Where(m => m.Map == "@h").Select(m => m.Count));
        Assert.Equal(26L, maps.Single(m => m.Map == "@k").Count);
        Assert.Equal(-5L, maps.Single(m => m.Map == "@neg").Value);
        Assert.Equal(26L, maps.Single(m => m.Map == "@n").Value);
        Assert.Equal(0, output.UnreadLines);
    }

    [Fact]
    public void Within_a_line_counts_are_hexadecimal_from_the_first_escape_on()
    {
        BpftraceOutput output = new(new PodDebugSession(), new Dictionary<string, IReadOnlyList<string>>())
        {
            Version = new BpftraceVersion("0.25.0"),
        };
        const string Line = """{"type": "hist", "data": {"@h": {"a": [{"min": 1, "max": 1, "count": """
            + """10}], "\uffffffc3\uffffffb6": [{"min": 1, "max": 1, "count": 10}]}}}""";

        Assert.Equal([10L, 16L], output.Read(Line, s_now).Cast<BpftraceMap>().Select(m => m.Count));
        Assert.Equal(10L,
            ((BpftraceMap)output.Read("""{"type": "map", "data": {"@m": {"count": 10}}}""", s_now).Single()).Value);
    }

    [Theory]
    [InlineData("""{"type": "lost_events", "count": 5}""")]
    [InlineData("""{"type": "lost_events", "data": {"events": 5}}""")]
    public void Lost_events_are_told_in_the_shape_of_every_version(string line)
    {
        BpftraceOutput output = new(new PodDebugSession(), new Dictionary<string, IReadOnlyList<string>>());
        output.Read(line, s_now);
        output.Read("""{"type": "attached_probes", "count": 2}""", s_now);
        Assert.Equal((5L, 2), (output.LostEvents, output.Probes));
    }

    [Fact]
    public void A_read_that_failed_is_told_of_and_a_key_that_is_not_there_is_not()
    {
        (string Text, int Line, int Column, long Times) error = Assert.Single(
            Read("0.23.2", "reads").Output.HelperErrors);
        Assert.Equal((1, 29, 6L), (error.Line, error.Column, error.Times));
        Assert.Contains("probe_read: Bad address", error.Text);
    }

    [Fact]
    public void Events_of_a_script_are_cut_where_the_bytes_of_the_threads_name_end()
    {
        string text = BpftraceLibrary.Find("FileOpen").Text;
        BpftraceOutput output = new(
            new PodDebugSession(), BpftraceProgram.Parse(
                text, scoped: true).Keys, int.MaxValue, BpftraceLayout.Parse(text));
        // Sixteen bytes: 3 + 4 of two-byte letters each as bpftrace escapes them, and blanks.
        PSObject item = (PSObject)output.Read(
            """{"type": "printf", "data": "1 43 1234 0 gr\uffffffc3\uffffffb6\uffffffc3\uffffff9fe         """
                + """/srv/b\uffffffc3\uffffffbccher\n"}""", s_now).Single();
        Assert.Equal(("gr\u00f6\u00dfe", "/srv/b\u00fccher"),
            (((BpftraceEvent)item.BaseObject).Thread, item.Properties["Path"].Value));
    }

    [Theory]
    [InlineData("clock_nanosleep+101", "clock_nanosleep", null, false)]
    [InlineData("7f0cb70ed545 read+4 (/usr/lib/libc.so.6)", "read", "/usr/lib/libc.so.6", false)]
    [InlineData("operator()(int)+0x12", "operator()(int)", null, false)]
    [InlineData("0x7f45ce6e93a7", "0x7f45ce6e93a7", null, true)]
    [InlineData("ffffffff81000000", "ffffffff81000000", null, true)]
    [InlineData("feed", "feed", null, false)]
    [InlineData("a+b", "a", null, false)]
    [InlineData("a+x", "a+x", null, false)]
    public void A_line_of_a_native_stack_is_read_from_its_ends(
        string line, string name, string? module, bool isNameless)
    {
        StackFrame frame = Assert.Single(NativeStack.Read($"\n        {line}\n"));
        Assert.Equal((name, module, isNameless), (frame.Name, frame.Module, NativeStack.IsNameless(frame)));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("0x34006c500070000")]
    public void A_walk_that_lost_its_way_says_so(string address)
        => Assert.Equal(
            ["PyObject_GetAttr", "..."], NativeStack.Read(
                $"\n        PyObject_GetAttr+1\n        {address}\n        main+5\n").Select(f => f.Name));

    [Fact]
    public void Names_made_to_cost_time_cost_none()
    {
        Stopwatch watch = Stopwatch.StartNew();
        foreach (string hostile in new[] { new string(' ', 1_000_000), new string('(', 1_000_000),
            "f " + new string('+', 1_000_000), string.Concat(Enumerable.Repeat(" (", 500_000)) })
        {
            NativeStack.Read($"\nx{hostile}y\n");
            NativeStack.Read($"\nx{hostile})\n");
        }

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"{watch.Elapsed}");
    }

    [Fact]
    public void Stacks_without_a_weight_are_counted_and_not_just_left_out()
    {
        BpftraceOutput output = new(
            new PodDebugSession(), new Dictionary<string, IReadOnlyList<string>> { ["@"] = ["kstack"] });
        BpftraceMap[] entries =
        [
            .. output.Read("""{"type": "map", "data": {"@": """
                + """{"\nf+1\n": "9223372036854775807", "\ng+1\n": "text", "\nh+1\n": -5}}}""", s_now)
                .Cast<BpftraceMap>(),
        ];

        StackProfile profile = Assert.Single(BpftraceProfiles.Of(entries));

        Assert.Equal(["f"], profile.Samples.Select(s => s.Frames[0].Name));
        Assert.Contains("2 of 3 stacks", Assert.Single(profile.Warnings));
    }

    [Fact]
    public void Equal_messages_are_one_with_their_number()
    {
        BpftraceMessage message = Assert.Single(BpftraceMessages.Parse(
            "WARNING: Addrspace is not set\nstdin:1:2-3: WARNING: careful\nstdin:1:2-3: WARNING: careful\n",
            new Dictionary<string, long> { ["stdin:1:2-3: WARNING: careful"] = 1500 }));
        Assert.Equal(("careful", 3000L), (message.Text, message.Times));
    }

    [Theory]
    [InlineData(1, 35, "@m")]
    [InlineData(1, 54, "@")]
    [InlineData(1, 70, "@seen")]
    [InlineData(1, 11, null)]
    public void The_map_that_a_helper_failed_for_is_found_in_the_program(int line, int column, string? map)
    {
        BpftraceProgram program = BpftraceProgram.Parse(
            "BEGIN { $i = 0; while ($i < 40) { @m[$i] = 1; $i++; @++; @seen[1] = count(); } }", scoped: false);
        Assert.Equal(map, program.MapAt(new Dictionary<string, string>(), line, column));
    }

    [Theory]
    [InlineData("BEGIN { @ = count(); }", false)]
    [InlineData("BEGIN { $x = *(uint64 *)0x10; }", true)]
    [InlineData("tracepoint:syscalls:sys_enter_openat { printf(\"%s\", str(args.filename)); }", true)]
    [InlineData("tracepoint:syscalls:sys_enter_openat { @ = curtask->exit_code; }", true)]
    [InlineData("BEGIN { $y = $x ? 1 : *(uint64 *)0x10; }", false)]
    public void Reads_are_checked_where_they_may_fail_and_a_check_does_not_change_them(string text, bool isChecked)
        => Assert.Equal(isChecked, BpftraceProgram.Parse(text, scoped: false).NeedsChecks);

    [Fact]
    public void Bytes_that_are_no_text_do_no_harm()
        => Assert.Equal("a\ufffdb", BpftraceEscapes.Text("a\uffffffc3b"));

    private static (BpftraceOutput Output, IReadOnlyList<object> Records) Read(string version, string name)
    {
        Dictionary<string, IReadOnlyList<string>> keys = new()
        {
            ["@one"] = ["\"gr\u00f6\u00dfe\"", "7"],
            ["@two"] = ["\"a\"", "\"b\""],
        };
        BpftraceOutput output = new(new PodDebugSession(), keys) { Version = new BpftraceVersion(version) };
        List<object> records = [];
        foreach (string line in File.ReadLines(Fixture.PathOf($"bpftrace-{version}/{name}.ndjson"), Encoding.UTF8))
        {
            records.AddRange(output.Read(line, s_now));
        }

        return (output, records);
    }
}
