using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using PyDebug.Errors;
using PyDebug.Tests.Profiles;
using PyDebug.Tools.Bpftrace;
using Xunit;

namespace PyDebug.Tests.Tools;

public sealed class BpftraceOutputTests
{
    private static readonly PodDebugSession s_session = new()
    {
        Namespace = "shop", PodName = "backend", ContainerName = "web", NodeName = "n1", DebugContainer = "pydebug-1",
        PodUid = "u1",
    };

    private static readonly DateTime s_now = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    private static readonly PodTarget s_target = new("shop", "backend", "web");

    public static TheoryData<string> Versions => new("0.17.0", "0.23.2", "0.27.1");

    [Theory]
    [MemberData(nameof(Versions))]
    public void Every_version_says_the_same(string version)
    {
        (BpftraceOutput output, IReadOnlyList<object> records) = Read($"bpftrace-{version}/shapes.ndjson");
        List<BpftraceEvent> events = [.. records.OfType<BpftraceEvent>()];
        Assert.Equal(
            ["open /tmp/a b\u2409\"c\"", "no line end", "two\u240alines"],
            events.Where(e => e.Kind == "Print").Select(e => e.Text));
        Assert.Equal(2, events.Count(e => e.Kind == "Time" && e.Text.Length == 8));
        Assert.Equal(["1, x,y, z", "text", "5"], events.Where(e => e.Kind == "Value").Select(e => e.Text));
        Assert.Equal(
            ("shop", "backend", "web", "n1", s_now), (events[0].Namespace, events[0].PodName, events[0].ContainerName,
            events[0].NodeName, events[0].Timestamp));
        Assert.DoesNotContain(events, e => e.Kind is "Unread" or "Text");
        Assert.Equal((2, 0L, 0L), (output.Probes, output.LostEvents, output.UnreadLines));

        // What was printed while it ran comes again at the end.
        Dictionary<string, List<BpftraceMap>> maps = records.SkipWhile(
            r => r is not BpftraceMap { Map: "@a" }).OfType<BpftraceMap>()
            .GroupBy(m => m.Map).ToDictionary(g => g.Key, g => g.ToList());
        BpftraceMap One(string name) => Assert.Single(maps[name]);
        Assert.Equal(5L, One("@one").Value);
        Assert.Equal(-3L, One("@neg").Value);
        Assert.Equal("text, with comma", One("@str").Value);
        Assert.Equal([["a;b", 13L], ["python3,x", 12L]], maps["@opens"].Select(m => m.Keys).OrderBy(k => (string)k[0]));
        Assert.Equal([2L, 40L], maps["@opens"].Select(m => m.Value).Order());
        Assert.Equal([1L, "x"], One("@tuple").Keys);
        Assert.Equal([7L, "y,z"], (object[])One("@tuple").Value!);
        Assert.Equal("a\u240ab", One("@nl").Keys.Single());

        BpftraceMap hist = One("@h");
        Assert.Equal(("Histogram", 3L, 12), (hist.Kind, hist.Count, hist.Buckets.Count));
        Assert.Equal((1024L, 2047L, 1L), (hist.Buckets[^1].Minimum, hist.Buckets[^1].Maximum, hist.Buckets[^1].Count));
        Assert.Equal("@h: 0: 1  2..3: 1  1K..2K: 1", hist.ToString());
        Assert.Equal("k,1", One("@hk").Keys.Single());
        BpftraceMap linear = One("@l");
        Assert.Equal(
            (null, -1L, 100L, null), (linear.Buckets[0].Minimum, linear.Buckets[0].Maximum, linear.Buckets[^1].Minimum,
            linear.Buckets[^1].Maximum));
        Assert.Equal([1L, "a"], One("@lk").Keys);

        BpftraceMap stats = One("@s");
        Assert.Equal(("Stats", 2L, 3.0, 7.0), (stats.Kind, stats.Count, stats.Average, stats.Total));
        Assert.Equal(("Stats", 9.0), (One("@sk").Kind, One("@sk").Total));
        Assert.Equal(("Value", (object?)5L), (One("@a").Kind, One("@a").Value));

        Assert.Equal("__bpf_prog_test_run_raw_tp", One("@k").Frames[^1].Name);
        Assert.Equal(2, One("@ks").Frames.Count);
        Assert.Equal([5L, "bpftrace"], One("@ks").Keys.Skip(1));
    }

    [Theory]
    [InlineData("0.23.2")]
    [InlineData("0.27.1")]
    public void Numbers_without_a_sign_keep_all_their_bits(string version)
    {
        IReadOnlyList<object> records = Read($"bpftrace-{version}/shapes.ndjson").Records;
        BpftraceMap Map(string name) => records.OfType<BpftraceMap>().Single(m => m.Map == name);
        Assert.Equal(ulong.MaxValue, Map("@big").Value);
        Assert.Equal(ulong.MaxValue, Map("@u").Keys.Single());
    }

    [Theory]
    [InlineData("0.23.2", true)]
    [InlineData("0.27.1", true)]
    [InlineData("0.17.0", false)]
    public void A_full_map_is_told_of(string version, bool isSaid)
    {
        BpftraceOutput output = Read($"bpftrace-{version}/full.ndjson", mostKeys: 16).Output;
        (string Text, int Line, int Column, long Times)[] errors = [.. output.HelperErrors];
        if (isSaid)
        {
            Assert.Equal(("a map was full and took no more keys", 1, 35, 24L), Assert.Single(errors));
        }

        Assert.Equal(16, output.FullMaps["@m"]);
    }

    [Fact]
    public void A_value_that_two_processors_raced_for_is_told_of_as_lost()
    {
        BpftraceOutput output = new(s_session, new Dictionary<string, IReadOnlyList<string>>());
        const string Line =
            """{"type": "helper_error", "msg": "File exists", "helper": "map_update_elem", "retcode": -17, """
            + """ "line": 1, "col": 74}""";
        output.Read(Line, s_now);
        output.Read(Line, s_now);
        Assert.Equal(
            ("a value was not counted, since another processor added the same key at the same moment", 1, 74, 2L),
            Assert.Single(output.HelperErrors));
    }

    [Fact]
    public void What_is_not_json_is_kept_as_it_came_and_counted()
    {
        (BpftraceOutput output, IReadOnlyList<object> records) = Read("cases/bpftrace-0.17-mixed.ndjson");
        Assert.Equal((3L, 17L, 2), (output.UnreadLines, output.LostEvents, output.Probes));
        List<BpftraceEvent> unread = [.. records.OfType<BpftraceEvent>().Where(e => e.Kind == "Unread")];
        Assert.Contains("[1,\"x\",\"python3\",Operation not permitted]", unread[0].Text);
        Assert.Contains("unified:/,cpu:/kubepods,memory:/kubepods", unread[2].Text);
        Assert.Equal(["open /tmp/a b\u2409\"c\"", "09:26:53"],
            records.OfType<BpftraceEvent>().Where(e => e.Kind is "Print" or "Time").Select(e => e.Text));
        Assert.Equal(["python3,12", "a;b,13"],
            records.OfType<BpftraceMap>().Where(m => m.Map == "@opens").Select(m => (string)m.Keys.Single()));
        Assert.Equal(6, records.OfType<BpftraceMap>().Single(m => m.Map == "@us").Count);
    }

    [Theory]
    [InlineData("a,b,1", new[] { "comm", "pid" }, new object[] { "a,b", 1L })]
    [InlineData("a,1,2", new[] { "comm", "pid", "tid" }, new object[] { "a", 1L, 2L })]
    [InlineData("a,1,2", new[] { "comm", "pid" }, new object[] { "a,1", 2L })]
    [InlineData("7,a,b", new[] { "pid", "comm" }, new object[] { 7L, "a,b" })]
    [InlineData("a,b,c", new[] { "comm", "str(arg0)" }, new object[] { "a,b,c" })]
    [InlineData("a,b", null, new object[] { "a,b" })]
    [InlineData("-1", new[] { "(uint64)arg0" }, new object[] { ulong.MaxValue })]
    [InlineData("-1", new[] { "retval" }, new object[] { -1L })]
    [InlineData("12", new[] { "comm" }, new object[] { 12L })]
    public void A_key_is_taken_apart_as_the_program_says(string text, string[]? expressions, object[] keys)
        => Assert.Equal(keys, BpftraceKey.Parse(text, expressions).Keys);

    [Fact]
    public void A_stack_of_every_mode_gives_names_and_libraries()
    {
        IReadOnlyList<StackFrame> frames = NativeStack.Read(
            "\n        clock_nanosleep+101\n        0x903da0\n\t7f0cb70ed545 read+4 (/usr/lib/libc.so.6)\n");
        Assert.Equal(["clock_nanosleep", "0x903da0", "read"], frames.Select(f => f.Name));
        Assert.Equal([null, null, "/usr/lib/libc.so.6"], frames.Select(f => f.Module));
    }

    [Fact]
    public void Lines_are_put_together_from_chunks()
    {
        BpftraceLines lines = new();
        Assert.Empty(lines.Take(Encoding.UTF8.GetBytes("{\"a\":\"ü").AsMemory(0, 7)));
        Assert.Equal(["{\"a\":\"ü\"}", ""], lines.Take(new byte[] { 0xbc, (byte)'"', (byte)'}', 10, 10, (byte)'x' }));
        Assert.Equal("x", lines.Rest());
    }

    [Theory]
    [InlineData("0.17.0", "syntax", "ProgramInvalid", "Line 1, column 20: syntax error, unexpected }.")]
    [InlineData("0.23.2", "syntax", "ProgramInvalid", "Line 1, column 20: syntax error, unexpected }.")]
    [InlineData("0.27.1", "syntax", "ProgramInvalid", "Line 1, column 20: syntax: expected expression.")]
    [InlineData("0.23.2", "unknown", "ProgramInvalid", "Line 1, column 24: Unknown identifier: 'foo'.")]
    [InlineData("0.27.1", "unknown", "ProgramInvalid", "Line 1, column 24: Unknown identifier: 'foo'.")]
    [InlineData(
        "0.17.0", "missing", "ProbeUnavailable", "Line 1, column 1: tracepoint not found: syscalls:sys_enter_nope.")]
    [InlineData(
        "0.23.2", "missing", "ProbeUnavailable", "Line 1, column 1: tracepoint not found: syscalls:sys_enter_nope.")]
    [InlineData("0.27.1", "missing", "ProbeUnavailable", "Line 1, column 1: No matches for tracepoint "
        + "syscalls:sys_enter_nope.")]
    [InlineData("0.17.0", "kprobe", "ProbeUnavailable", "Error attaching probe: 'kprobe:vfs_read'.")]
    [InlineData("0.23.2", "kprobe", "ProbeUnavailable", "Error attaching probe: kprobe:vfs_read.")]
    [InlineData("0.27.1", "kprobe", "ProbeUnavailable", "Line 1, column 1: No matches for kprobe vfs_read.")]
    [InlineData("0.23.2", "file", "ProbeUnavailable", "Line 1, column 1: uprobe target file '/nope' does not "
        + "exist or is not executable.")]
    [InlineData("0.23.2", "unsafe", "ProgramInvalid", "Line 1, column 9: system() is an unsafe function "
        + "being used in safe mode.")]
    public void An_error_leads_to_its_place_in_the_program(string version, string name, string id, string message)
    {
        string text = Fixture.Text($"bpftrace-{version}/{name}.stderr");
        PyDebugException failure =
            BpftraceMessages.Failure(BpftraceMessages.Parse(text), text, 1, (line, column) => (line, column), s_target);
        Assert.Equal(id, failure.ErrorRecord.FullyQualifiedErrorId);
        Assert.Equal(message, failure.ErrorRecord.ErrorDetails.Message);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void What_bpftrace_says_of_limits_of_memory_is_no_message(string version)
        => Assert.DoesNotContain(
            BpftraceMessages.Parse(Fixture.Text($"bpftrace-{version}/full.stderr")), m
                => m.IsError || m.Text.Contains("MEMLOCK"));

    [Fact]
    public void A_crash_is_a_failure_of_the_tool()
    {
        string text = Fixture.Text("bpftrace-0.17.0/unknown.stderr");
        PyDebugException failure = BpftraceMessages.Failure(
            BpftraceMessages.Parse(text), text, -11, (l, c) => (l, c), s_target);
        Assert.Equal("ToolFailed", failure.ErrorRecord.FullyQualifiedErrorId);
        Assert.Contains("signal 11", failure.Message);
    }

    private static (BpftraceOutput Output, IReadOnlyList<object> Records) Read(
        string fixture, int mostKeys = int.MaxValue)
    {
        Dictionary<string, IReadOnlyList<string>> keys = new()
        {
            ["@opens"] = fixture.StartsWith("cases", StringComparison.Ordinal) ? ["comm + x"] : ["comm", "pid"],
            ["@tuple"] = ["1", "\"x\""],
            ["@lk"] = ["1", "\"a\""],
            ["@u"] = ["(uint64)18446744073709551615"],
            ["@hk"] = ["\"k,1\""],
            ["@k"] = ["kstack(2)"],
            ["@ks"] = ["kstack(2)", "5", "comm"],
        };
        BpftraceOutput output = new(
            s_session, keys, mostKeys) { Version = new BpftraceVersion(fixture.Split('/')[0].Split('-')[^1]) };
        List<object> records = [];
        foreach (string line in File.ReadLines(Fixture.PathOf(fixture)))
        {
            records.AddRange(output.Read(line, s_now));
        }

        return (output, records);
    }
}
