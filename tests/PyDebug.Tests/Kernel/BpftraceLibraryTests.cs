using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using PyDebug.Errors;
using PyDebug.Tools.Bpftrace;
using Xunit;

namespace PyDebug.Tests.Tools;

public sealed class BpftraceLibraryTests
{
    private static readonly DateTime s_now = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    private static readonly Dictionary<string, string> s_words = new()
    {
        ["target"] = "(MINE)", ["pid"] = "(PID)", ["tid"] = "(TID)", ["libc"] = "/proc/1/root/libc.so.6",
        ["python"] = "/proc/1/root/python",
    };

    public static TheoryData<string> Names => new(BpftraceLibrary.Names);

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_script_sees_the_target_alone_and_says_what_it_shows(string name)
    {
        BpftraceScript script = BpftraceLibrary.Find(name.ToUpperInvariant());
        Assert.Equal(name, script.Name);
        Assert.EndsWith(".", script.Synopsis);
        Assert.True(script.Columns.Count > 0);
        string text = BpftraceProgram.Parse(
            script.Text, scoped: true, BpftraceLibrary.IsScopedByHand(script.Text)).Render(s_words);
        Assert.Contains("(MINE)", text);
        Assert.DoesNotContain(
            "__", text.Replace("import__find__load__start", "").Replace("import__find__load__done", "")
            .Replace("gc__start", "").Replace("gc__done", ""));
        // What is kept for itself is not shown.
        Assert.Equal(script.Text.Contains("@start"), script.Text.Contains("clear(@start)"));
    }

    [Fact]
    public void A_line_becomes_an_event_with_the_parts_as_properties()
    {
        PSObject item = (PSObject)Read("FileOpen",
            """{"type": "printf", "data": "1 43 1234 -2 cpu worker      /srv/a b,\u001b[2J c\n"}""").Single();
        BpftraceEvent opened = (BpftraceEvent)item.BaseObject;
        Assert.Equal((1, 43, "cpu worker"), (opened.ProcessId, opened.ThreadId, opened.Thread));
        Assert.Equal(1.234, item.Properties["Milliseconds"].Value);
        Assert.Equal("ENOENT", item.Properties["Error"].Value);
        Assert.Equal("/srv/a b,\u241b[2J c", item.Properties["Path"].Value);
        Assert.Equal("/srv/a b,\u241b[2J c  1.2 ms  ENOENT", opened.Text);
    }

    [Theory]
    [InlineData("1 43 x -2 cpu worker      /srv")]
    [InlineData("1 43 5 -2 short")]
    [InlineData("")]
    public void A_line_of_other_parts_is_left_as_it_is(string text)
    {
        BpftraceEvent printed = Assert.IsType<BpftraceEvent>(
            Read("FileOpen", $$"""{"type": "printf", "data": "{{text}}\n"}""").Single());
        Assert.Equal((text, null), (printed.Text, printed.ProcessId));
    }

    [Fact]
    public void A_system_call_has_its_name_on_each_machine()
    {
        PSObject call = (PSObject)Read("SyscallCount", """{"type": "map", "data": {"@calls": {"257": 5}}}""").Single();
        Assert.Equal("openat", call.Properties["Call"].Value);
        Assert.Equal("openat", ((BpftraceMap)call.BaseObject).Keys.Single());
        Assert.Equal("openat", SystemCalls.Name("aarch64", 56));
        Assert.Equal("read", SystemCalls.Name("x86_64", 0));
        Assert.Equal("9999", SystemCalls.Name("x86_64", 9999));
    }

    [Fact]
    public void A_key_has_its_parts_as_properties()
    {
        PSObject row = (PSObject)Read("LockWait",
            """{"type": "stats", "data": {"@wait": {"1,43,a,b": {"count": 2, "average": 3, "total": 7}}}}""").Single();
        Assert.Equal((1L, 43L, "a,b"),
            (row.Properties["ProcessId"].Value, row.Properties["ThreadId"].Value, row.Properties["Thread"].Value));
    }

    [Fact]
    public void An_unknown_name_is_answered_with_those_there_are()
    {
        PyDebugException failure = Assert.Throws<PyDebugException>(() => BpftraceLibrary.Find("Nope"));
        Assert.Contains("FileOpen", failure.Message);
    }

    private static IReadOnlyList<object> Read(string script, string line)
    {
        string text = BpftraceLibrary.Find(script).Text;
        BpftraceOutput output = new(
            new PodDebugSession(), BpftraceProgram.Parse(
                text, scoped: true).Keys, int.MaxValue, BpftraceLayout.Parse(text)) { Machine = "x86_64" };
        return output.Read(line, s_now);
    }
}
