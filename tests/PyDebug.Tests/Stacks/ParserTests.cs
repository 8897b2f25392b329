using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json;
using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class ParserTests
{
    private static readonly DateTime s_now = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    private static readonly PodDebugSession s_session = new()
    {
        Namespace = "default",
        PodName = "bad-app",
        ContainerName = "web",
        NodeName = "node-1",
        DebugContainer = "pydebug-7h2k",
        PodUid = "u-1",
    };

    [Fact]
    public void A_process_keeps_every_field()
    {
        PyProcess process = Process("""
            {"kind":"process","pid":12,"parent":1,"command":["python3","/srv/my app.py"],"name":"python3",
            "executable":"/usr/bin/python3.13","version":"3.13.5","implementation":"CPython","uid":10001,"threads":6,
            "rss":64225280,"cpu":41.8,"started":1764033614.25,"role":"Worker","container":true}
            """)!;
        Assert.Equal("default", process.Namespace);
        Assert.Equal("bad-app", process.PodName);
        Assert.Equal("web", process.ContainerName);
        Assert.Equal("node-1", process.NodeName);
        Assert.Equal(12, process.ProcessId);
        Assert.Equal(1, process.ParentProcessId);
        Assert.Equal("python3 '/srv/my app.py'", process.CommandLine);
        Assert.Equal("3.13.5", process.PythonVersion);
        Assert.Equal("Worker", process.Role);
        Assert.Equal(10001, process.UserId);
        Assert.Equal(64225280, process.ResidentBytes);
        Assert.Equal(6, process.ThreadCount);
        Assert.Equal(new DateTime(2025, 11, 25, 1, 20, 14, 250, DateTimeKind.Utc), process.StartTime);
        Assert.Equal(DateTimeKind.Utc, process.StartTime!.Value.Kind);
        Assert.True(process.InTargetContainer);
        Assert.Equal("pydebug-7h2k", process.DebugContainer);
        Assert.Equal("u-1", process.PodUid);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"pid":0}""")]
    [InlineData("""{"pid":-4}""")]
    [InlineData("""{"pid":"1"}""")]
    [InlineData("""{"pid":1e300}""")]
    [InlineData("""{"pid":99999999999}""")]
    public void An_answer_that_names_no_process_is_refused(string json)
    {
        Assert.Null(Process(json));
        Assert.Null(Stacks(json));
    }

    [Fact]
    public void Values_of_another_kind_count_as_absent()
    {
        PyProcess process = Process("""
            {"pid":1,"parent":"x","command":"python3","name":5,"version":{},"uid":-1.5,"threads":1e99,"rss":"big",
            "cpu":null,"started":1e40,"role":[],"container":"yes"}
            """)!;
        Assert.Equal("", process.CommandLine);
        Assert.Null(process.PythonVersion);
        Assert.Null(process.UserId);
        Assert.Null(process.ThreadCount);
        Assert.Null(process.ResidentBytes);
        Assert.Null(process.CpuSeconds);
        Assert.Null(process.StartTime);
        Assert.Null(process.InTargetContainer);
    }

    [Fact]
    public void A_stack_has_one_record_for_each_thread_innermost_frame_first()
    {
        IReadOnlyList<PyThreadStack> threads = Stacks("""
            {"kind":"stack","pid":1,"command":"python3 /srv/app.py","version":"3.13.5","running":1,"held":19.0,
            "threads":[
            {"tid":1,"name":"MainThread","state":"idle","kernelState":"S","waitsFor":"epoll_wait","gil":false,"cpu":0.2,
             "how":"idle","held":null,"error":null,"frames":[{"name":"main","file":"/srv/app.py","line":82}]},
            {"tid":3,"name":"cpu worker 1","state":"running","gil":true,"cpu":41.8,"how":"stopped","held":19.0,
             "frames":[{"name":"hot_loop","file":"/srv/app.py","line":22,"changed":true},
             {"name":"run","file":"t.py","line":9}]}]}
            """)!;
        Assert.Equal([1L, 3L], threads.Select(t => t.ThreadId));
        Assert.Equal("epoll_wait", threads[0].WaitsFor);
        Assert.False(threads[0].HoldsGil);
        Assert.Equal("hot_loop", threads[1].Frames[0].Name);
        Assert.True(threads[1].Frames[0].FileChanged);
        Assert.Equal(19.0, threads[1].HeldMicroseconds);
        Assert.Equal("stopped", threads[1].Source);
        Assert.All(threads, t => Assert.Equal("3.13.5", t.PythonVersion));
    }

    [Fact]
    public void The_heading_says_for_how_long_running_threads_were_held()
    {
        PyThreadStack thread = Stacks("""
            {"pid":1,"command":"python3 /srv/app.py","version":"3.13.5","running":2,"held":19.2,"threads":[{"tid":1}]}
            """)![0];
        Assert.Equal(
            "default/bad-app/web  process 1  python3 /srv/app.py  CPython 3.13.5  (2 running threads held for 19 us)",
            StackDisplay.Heading(thread));
    }

    [Fact]
    public void Nothing_of_a_name_is_lost_and_nothing_of_it_acts_on_the_screen()
    {
        PyThreadStack thread = Stacks("""
            {"pid":1,"threads":[{"tid":1,"name":"a\u001b[2J\u202eb","state":"idle","frames":[
            {"name":"render;\n\u202egpj","file":"/srv/a\u001b]0;x\u0007.py","line":1}]}]}
            """)![0];
        Assert.Equal("a\u241b[2J\\u202eb", thread.Name);
        Assert.Equal("render;\u240a\\u202egpj", thread.Frames[0].Name);
        Assert.Equal("render;\u240a\\u202egpj (a\u241b]0;x\u2407.py:1)", thread.Frames[0].ToString());
        Assert.Equal(2, thread.ToString().Split('\n').Length);
        Assert.DoesNotContain('\u001b', thread.ToString());
        Assert.DoesNotContain('\u202e', thread.ToString());
    }

    [Fact]
    public void Text_is_capped_and_a_cut_pair_does_not_stay()
    {
        string name = new string('a', Json.TextLength - 2) + "🐍b";
        PyThreadStack thread = Stacks($$"""{"pid":1,"threads":[{"tid":1,"name":"{{name}}"}]}""")![0];
        Assert.Equal(new string('a', Json.TextLength - 2) + "…", thread.Name);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("\u0000")]
    public void A_payload_that_is_no_object_is_refused(string payload)
        => Assert.Null(Json.Parse(Encoding.UTF8.GetBytes(payload)));

    [Fact]
    public void Deep_nesting_is_refused()
        => Assert.Null(Json.Parse(Encoding.UTF8.GetBytes(
            string.Concat(Enumerable.Repeat("{\"a\":", 100)) + "1" + new string('}', 100))));

    [Fact]
    public void Invalid_text_counts_as_absent()
    {
        using JsonDocument? document = Json.Parse("""{"pid":1,"name":"\ud800"}"""u8.ToArray());
        Assert.Null(document!.RootElement.Text("name"));
    }

    [Fact]
    public void Repeated_frames_are_counted_on_one_line()
    {
        StackFrame leaf = new() { Name = "hot_loop", FileName = "/srv/app.py", Line = 22 };
        StackFrame recurse = new() { Name = "recurse", FileName = "/srv/app.py", Line = 29 };
        Assert.Equal(
            "hot_loop (app.py:22) < recurse (app.py:29) x19",
            FrameText.Joined([leaf, .. Enumerable.Repeat(recurse, 19)]));
    }

    [Fact]
    public void On_one_line_the_applications_frames_are_not_pushed_out_by_the_librarys()
    {
        StackFrame[] frames =
        [
            new() { Name = "select", FileName = "/usr/lib/python3.13/selectors.py", Line = 398 },
            new() { Name = "run_once", FileName = "/usr/lib/python3.13/asyncio/base_events.py", Line = 1 },
            new() { Name = "run", FileName = "<frozen runpy>", Line = 1 },
            new() { Name = "serve", FileName = "/srv/app.py", Line = 80 },
            new() { Name = "Thread.run", FileName = "/usr/lib/python3.13/threading.py", Line = 994 },
        ];
        Assert.Equal("select (selectors.py:398) < … < serve (app.py:80)", FrameText.Joined(frames));
        Assert.Equal("select (selectors.py:398) < run_once (base_events.py:1)", FrameText.Joined(frames[..2]));
        Assert.Equal("serve (app.py:80)", FrameText.Joined(frames[3..]));
    }

    private static PyProcess? Process(string json)
    {
        using JsonDocument? document = Json.Parse(Encoding.UTF8.GetBytes(json));
        return ProcessParser.Parse(document!.RootElement, s_session, s_now);
    }

    private static IReadOnlyList<PyThreadStack>? Stacks(string json)
    {
        using JsonDocument? document = Json.Parse(Encoding.UTF8.GetBytes(json));
        return StackParser.Parse(document!.RootElement, s_session, s_now);
    }
}
