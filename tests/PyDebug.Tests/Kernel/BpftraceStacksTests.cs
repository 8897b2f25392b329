using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using PyDebug.Profiles;
using PyDebug.Profiles.Flame;
using PyDebug.Tools.Bpftrace;
using Xunit;

namespace PyDebug.Tests.Tools;

public sealed class BpftraceStacksTests
{
    private const ulong Large = 0xF000_0000_0000_0001;

    private static readonly PodDebugSession s_session =
        new() { Namespace = "shop", PodName = "backend", ContainerName = "web" };

    private static readonly DateTime s_now = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    // Process 7: inner < outer, inner in two instructions of one line; a frame of the interpreter's between them.
    private static readonly string s_frames =
        $$"""
        {"frames": [[5000000001, 7, "inner", "/app/a.py", 3], [5000000002, 7, "inner", "/app/a.py", 3],
         [5000000003, 5000000001], [5000000004, 5000000003, "outer", "/app/a.py", 9],
          [{{Large}}, 5000000002, "outer", "/app/a.py", 9]]}
        """;

    [Fact]
    public void A_number_leads_to_the_frames_and_the_process()
    {
        BpftraceStacks stacks = Stacks();
        BpftraceStack stack = stacks.Find("5000000004")!;
        Assert.Equal(7, stack.ProcessId);
        Assert.Equal(["inner (a.py:3)", "outer (a.py:9)"], stack.Frames.Select(f => f.ToString()));
        // Versions print large numbers with a sign.
        string signed = unchecked((long)Large).ToString(CultureInfo.InvariantCulture);
        Assert.Equal(stack.Frames, stacks.Find(signed)!.Frames);
    }

    [Fact]
    public void What_is_no_stack_or_is_not_known_is_no_frame_of_another()
    {
        BpftraceStacks stacks = Stacks();
        Assert.Null(stacks.Find("text"));
        Assert.Equal((7, 0), (stacks.Find("7")!.ProcessId, stacks.Find("7")!.Frames.Count));
        Assert.Null(stacks.Find("0")!.ProcessId);
        BpftraceStack unknown = stacks.Find("5000000099")!;
        Assert.Null(unknown.ProcessId);
        Assert.Equal("<unresolved>", unknown.Frames.Single().Name);
    }

    [Theory]
    [InlineData("""{"frames": [[1]]}""")]
    [InlineData("""{"frames": [["a", 1]]}""")]
    [InlineData("""{"frames": [{"number": 1}]}""")]
    [InlineData("""{"frames": [[1, -1]]}""")]
    public void What_is_no_frame_is_refused(string text)
        => Assert.False(new BpftraceStacks().Add(JsonDocument.Parse(text).RootElement));

    [Fact]
    public void Stacks_of_the_same_lines_are_one_entry_with_their_sum()
    {
        BpftraceMap[] rows = Rows("k:f { @[pystack, comm] = count(); }",
            """{"5000000004,a": 3, "17293822569102704641,a": 4, "17293822569102704641,b": 5}""");
        Assert.Equal([7L, 5L], rows.Select(r => r.Value));
        Assert.Equal(["inner (a.py:3) < outer (a.py:9)", "a"], rows[0].Keys);
        Assert.Equal((7, "count"), (rows[0].ProcessId, rows[0].Function));
        Assert.Equal(["inner", "outer"], rows[0].Frames.Select(f => f.Name));
    }

    [Theory]
    [InlineData("sum(arg0)", "3", "4", 7L)]
    [InlineData("max(arg0)", "3", "4", 4L)]
    [InlineData("min(arg0)", "3", "4", 3L)]
    [InlineData("hist(arg0)", """[{"min": 1, "max": 1, "count": 3}]""",
        """[{"min": 1, "max": 1, "count": 1}, {"min": 2, "max": 3, "count": 3}]""", 7L)]
    [InlineData(
        "stats(arg0)", """{"count": 3, "average": 2, "total": 6}""", """{"count": 4, "average": 1, "total": 4}""", 7L)]
    public void Every_sum_adds_up(string function, string one, string other, long value)
    {
        BpftraceMap row = Assert.Single(Rows(
            $"k:f {{ @[pystack] = {function}; }}", $$"""{"5000000004": {{one}}, "17293822569102704641": {{other}}}"""));
        Assert.Equal(value, row.Value);
        if (row.Kind == "Histogram")
        {
            Assert.Equal([(1L, 4L), (2L, 3L)], row.Buckets.Select(b => (b.Minimum!.Value, b.Count)));
        }
        else if (row.Kind == "Stats")
        {
            Assert.Equal((7L, 10.0, 10.0 / 7), (row.Count, row.Total, row.Average));
        }
    }

    [Fact]
    public void What_does_not_add_up_stays_apart()
    {
        Assert.Equal(
            2, Rows("k:f { @[pystack] = avg(arg0); }", """{"5000000004": 3, "17293822569102704641": 4}""").Length);
        Assert.Equal(2, Rows("k:f { @[pystack] = nsecs; }", """{"5000000004": 3, "17293822569102704641": 4}""").Length);
    }

    [Fact]
    public void Entries_become_a_profile_of_each_map_and_process()
    {
        BpftraceMap[] rows = Rows("k:f { @[pystack] = count(); }", """{"5000000004": 3, "7": 2, "0": 1}""");
        IReadOnlyList<StackProfile> profiles = BpftraceProfiles.Of(rows);
        StackProfile profile = profiles[0];
        Assert.Equal(
            ("shop", "backend", "web", 7, "@", "events", 5L),
            (profile.Namespace, profile.PodName, profile.ContainerName, profile.ProcessId!.Value, profile.Metric,
                profile.Unit, profile.SampleCount));
        Assert.Equal([3.0, 2.0], profile.Samples.Select(s => s.Value));
        Assert.Equal(["(no Python)"], profile.Samples[1].Frames.Select(f => f.Name));
        using StringWriter writer = new();
        FlameGraphWriter.Write(writer, [profile], byThread: false);
        Assert.Contains("60 %, 3 events", writer.ToString(), StringComparison.Ordinal);

        Assert.Equal(["@"], rows[0].GetStackProfileMetrics());
        Assert.Single(rows[0].GetStackProfiles("@"));
        Assert.Empty(rows[0].GetStackProfiles("@other"));
        Assert.Empty(Rows("k:f { @[comm] = count(); }", """{"x": 3}""")[0].GetStackProfiles(null));
    }

    private static BpftraceStacks Stacks()
    {
        BpftraceStacks stacks = new();
        Assert.True(stacks.Add(JsonDocument.Parse(s_frames).RootElement));
        return stacks;
    }

    private static BpftraceMap[] Rows(string program, string entries)
    {
        BpftraceProgram parsed = BpftraceProgram.Parse(program, scoped: true);
        BpftraceOutput output = new(s_session, parsed.Keys, functions: parsed.Functions);
        Assert.True(output.Stacks.Add(JsonDocument.Parse(s_frames).RootElement));
        string type = program.Contains("hist", StringComparison.Ordinal) ? "hist"
            : program.Contains("stats", StringComparison.Ordinal) ? "stats" : "map";
        string line = "{\"type\": \"" + type + "\", \"data\": {\"@\": " + entries + "}}";
        return [.. output.Read(line, s_now).Cast<BpftraceMap>()];
    }
}
