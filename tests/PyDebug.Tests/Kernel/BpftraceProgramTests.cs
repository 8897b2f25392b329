using System.Collections.Generic;
using System.Linq;
using PyDebug.Errors;
using PyDebug.Tools.Bpftrace;
using Xunit;

namespace PyDebug.Tests.Tools;

public sealed class BpftraceProgramTests
{
    private static readonly Dictionary<string, string> s_words = new()
    {
        ["target"] = "(MINE)", ["pid"] = "(PID)", ["tid"] = "(TID)", ["pystack"] = "WALK",
    };

    [Theory]
    [InlineData("tracepoint:syscalls:sys_enter_read { @ = count(); }", "tracepoint:syscalls:sys_enter_read /(MINE)/ { "
        + "@ = count(); }")]
    [InlineData("kprobe:f/arg0 == 1/ { }", "kprobe:f/(MINE) && (arg0 == 1)/ { }")]
    [InlineData("k:f /arg0 / 2 == 1 || arg1/{ }", "k:f /(MINE) && (arg0 / 2 == 1 || arg1)/{ }")]
    [InlineData("t:a:b, t:c:d { }", "t:a:b, t:c:d /(MINE)/ { }")]
    [InlineData("t:a:b,t:c:d /pid == 1/ { }", "t:a:b,t:c:d /(MINE) && ((PID) == 1)/ { }")]
    [InlineData("uprobe:/proc/1/root/lib/libc.so.6:malloc /arg0 > 5/ { }", "uprobe:/proc/1/root/lib/libc.so.6:malloc "
        + "/(MINE) && (arg0 > 5)/ { }")]
    [InlineData("u:./a/b:f{ }", "u:./a/b:f/(MINE)/ { }")]
    [InlineData("usdt:/a/b:python:gc__start { }", "usdt:/a/b:python:gc__start /(MINE)/ { }")]
    [InlineData("usdt:\"/a b/c\":x { }", "usdt:\"/a b/c\":x /(MINE)/ { }")]
    [InlineData("profile:hz:99 { }", "profile:hz:99 /(MINE)/ { }")]
    [InlineData("software:faults:100 { }", "software:faults:100 /(MINE)/ { }")]
    [InlineData("BEGIN { } END { } interval:s:1 { } i:ms:9{ }", "BEGIN { } END { } interval:s:1 { } i:ms:9{ }")]
    [InlineData("begin { } self:signal:SIGUSR1 { }", "begin { } self:signal:SIGUSR1 { }")]
    [InlineData("k:f /* { */ { }", "k:f /* { */ /(MINE)/ { }")]
    [InlineData("k:f // a { b }\n{ }", "k:f // a { b }\n/(MINE)/ { }")]
    [InlineData("k:f /arg0/ /* x */ { }", "k:f /(MINE) && (arg0)/ /* x */ { }")]
    [InlineData("k:f /str(arg0) == \"a/ {\"/ { }", "k:f /(MINE) && (str(arg0) == \"a/ {\")/ { }")]
    [InlineData(
        "k:f { if (1) { printf(\"}\"); } } k:g { }", "k:f /(MINE)/ { if (1) { printf(\"}\"); } } k:g /(MINE)/ { }")]
    [InlineData("#include <x.h>\n#define A 1\nk:f { }", "#include <x.h>\n#define A 1\nk:f /(MINE)/ { }")]
    [InlineData("struct a { int pid; };\nk:f { }", "struct a { int pid; };\nk:f /(MINE)/ { }")]
    [InlineData("config = { a = 1; }\nk:f { }", "config = { a = 1; }\nk:f /(MINE)/ { }")]
    [InlineData("let @a = hash(10);\nmacro m(x) { pid + x }\nk:f { }", "let @a = hash(10);\nmacro m(x) { (PID) "
        + "+ x }\nk:f /(MINE)/ { }")]
    [InlineData("#!/usr/bin/env bpftrace\nk:f { }", "#!/usr/bin/env bpftrace\nk:f /(MINE)/ { }")]
    public void Every_probe_of_a_thread_gets_the_predicate(string program, string expected)
        => Assert.Equal(expected, BpftraceProgram.Parse(program, scoped: true).Render(s_words));

    [Theory]
    [InlineData("@[pid, tid]", "@[(PID), (TID)]")]
    [InlineData("@pid[$pid] = args.pid + args->tid", "@pid[$pid] = args.pid + args->tid")]
    [InlineData("printf(\"pid %d\", pid) // pid", "printf(\"pid %d\", (PID)) // pid")]
    [InlineData("sizeof(struct pid) + curtask->pid", "sizeof(struct pid) + curtask->pid")]
    [InlineData("pid(curr_ns)", "pid(curr_ns)")]
    [InlineData("mypid + pid2 + 0xpid", "mypid + pid2 + 0xpid")]
    public void Pid_and_tid_are_put_right_where_they_stand_for_themselves(string text, string expected)
    {
        string body = $"k:f /1/ {{ {text}\n}}";
        Assert.Contains(expected, BpftraceProgram.Parse(body, scoped: true).Render(s_words));
    }

    [Theory]
    [InlineData("t:sched:sched_switch { if (target) { @ = count(); } }", "t:sched:sched_switch { if ((MINE)) { @ = "
        + "count(); } }")]
    [InlineData("t:sched:sched_wakeup /target/ { }", "t:sched:sched_wakeup /(MINE)/ { }")]
    [InlineData("k:f { $target = 1; @target = args.target; }", "k:f /(MINE)/ { $target = 1; @target = args.target; }")]
    public void The_word_target_takes_the_predicates_place(string program, string expected)
        => Assert.Equal(expected, BpftraceProgram.Parse(program, scoped: true).Render(s_words));

    [Theory]
    [InlineData("k:f { @[pystack] = count(); }", "k:f /(MINE)/ { WALK @[$pydebug_stack] = count(); }")]
    [InlineData("k:f /pid == 1/ { @[pystack, pystack] = 1; }", "k:f /(MINE) && ((PID) == 1)/ { WALK @[$pydebug_stack, "
        + "$pydebug_stack] = 1; }")]
    [InlineData("k:f{if (1) { @[pystack] = 1; }} k:g { }", "k:f/(MINE)/ { WALKif (1) { @[$pydebug_stack] "
        + "= 1; }} k:g /(MINE)/ { }")]
    [InlineData("t:sched:sched_switch { if (target) { @[pystack] = 1; } }", "t:sched:sched_switch { WALK if ((MINE)) { "
        + "@[$pydebug_stack] = 1; } }")]
    [InlineData("k:f { @pystack = args.pystack; $pystack = \"pystack\"; /* pystack */ }", "k:f /(MINE)/ { @pystack = "
        + "args.pystack; $pystack = \"pystack\"; /* pystack */ }")]
    public void A_python_stack_is_made_at_the_beginning_of_the_body(string program, string expected)
    {
        BpftraceProgram parsed = BpftraceProgram.Parse(program, scoped: true);
        Assert.Equal(expected, parsed.Render(s_words));
        Assert.Equal(expected.Contains("WALK", System.StringComparison.Ordinal), parsed.HasPythonStacks);
        Assert.Equal(program.Count(c => c == '\n'), parsed.Render(s_words).Count(c => c == '\n'));
    }

    [Theory]
    [InlineData(
        "BEGIN { }\nEND { @[pystack] = 1; }", "Line 2: END has no pystack: the probe belongs to no thread.", true)]
    [InlineData("k:f /pystack/ { }", "behind the predicate", true)]
    [InlineData("t:sched:sched_wakeup { if (target) { @[pystack] = 1; } }", "about another", true)]
    [InlineData("t:irq:softirq_entry { if (target) { @[pystack] = 1; } }", "interrupts", true)]
    [InlineData("k:f { @[pystack] = 1; }", "not of the whole node", false)]
    public void A_python_stack_is_refused_where_no_thread_of_the_targets_has_it(string program, string why, bool scoped)
    {
        PyDebugException refusal = Assert.Throws<PyDebugException>(() => BpftraceProgram.Parse(program, scoped));
        Assert.Equal(ErrorId.PythonStackMisplaced, refusal.ErrorRecord.FullyQualifiedErrorId);
        Assert.Contains(why, refusal.Message);
    }

    [Fact]
    public void What_a_map_gathers_is_known()
    {
        BpftraceProgram program = BpftraceProgram.Parse(
            "k:f { @a[comm] = count(); @b = sum(arg0); @c[1]++; @d[tid] = nsecs; @e = hist(1); if (@f == count) { } }",
            scoped: true);
        Assert.Equal(
            [("@a", "count"), ("@b", "sum"), ("@c", "count"), ("@e", "hist")],
            program.Functions.OrderBy(f => f.Key).Select(f => (f.Key, f.Value)));
    }

    [Theory]
    [InlineData("BEGIN { }\nt:sched:sched_wakeup { }", "Line 2: t:sched:sched_wakeup cannot")]
    [InlineData("tracepoint:irq:softirq_entry { }", "interrupts")]
    [InlineData("tracepoint:sched:* { }", "about another")]
    [InlineData("tracepoint:*:* { }", "interrupts")]
    [InlineData("tracepoint:block:block_rq_issue { }", "kernel's own threads")]
    [InlineData("rawtracepoint:sched_waking { }", "about another")]
    [InlineData("iter:task { }", "whole node")]
    [InlineData("BEGIN, k:f { }", "one of its own")]
    public void A_probe_that_cannot_be_narrowed_is_refused_with_its_line(string program, string why)
    {
        PyDebugException refusal = Assert.Throws<PyDebugException>(() => BpftraceProgram.Parse(program, scoped: true));
        Assert.Equal(ErrorId.ProbeNotScoped, refusal.ErrorRecord.FullyQualifiedErrorId);
        Assert.Contains(why, refusal.Message);
        Assert.Equal(program, BpftraceProgram.Parse(program, scoped: false).Render(s_words));
    }

    [Theory]
    [InlineData("tracepoint:sched:sched_switch { }")]
    [InlineData("tracepoint:sched:sched_process_exit { }")]
    [InlineData("tracepoint:signal:signal_deliver { }")]
    [InlineData("tracepoint:syscalls:* { }")]
    [InlineData("tracepoint:exceptions:page_fault_user { }")]
    [InlineData("tracepoint:vmscan:mm_vmscan_memcg_reclaim_begin { }")]
    public void A_tracepoint_of_the_current_thread_is_narrowed(string program)
        => Assert.Contains("/(MINE)/ {", BpftraceProgram.Parse(program, scoped: true).Render(s_words));

    [Fact]
    public void A_place_in_the_program_as_it_runs_leads_to_the_users_own()
    {
        const string text = "BEGIN { }\nk:föö /pid == 1/ { @[tid] = foo; }";
        BpftraceProgram program = BpftraceProgram.Parse(text, scoped: true);
        string[] lines = program.Render(s_words).Split('\n');
        int column = System.Text.Encoding.UTF8.GetByteCount(
            lines[1][..lines[1].IndexOf("foo", System.StringComparison.Ordinal)]);

        Assert.Equal((2, text.Split('\n')[1].IndexOf("foo", System.StringComparison.Ordinal) + 1), program.ToUser(
            s_words, 2, column + 1));
        Assert.Equal((1, 1), program.ToUser(s_words, 1, 1));
        // What was put in leads to the place where it was put in.
        int inserted = System.Text.Encoding.UTF8.GetByteCount(
            lines[1][..lines[1].IndexOf("MINE", System.StringComparison.Ordinal)]);
        Assert.Equal((2, text.Split('\n')[1].IndexOf('/') + 1), program.ToUser(s_words, 2, inserted + 1));
    }

    [Fact]
    public void The_agent_gets_the_texts_and_the_names_between_them()
    {
        BpftraceProgram program = BpftraceProgram.Parse("k:f { @[pid] = 1; }", scoped: true);
        Assert.Equal(
            ["k:f /", "target", "/ { @[", "pid", "] = 1; }"], program.ToJson().Select(p => (string?)p));
    }

    [Fact]
    public void The_expressions_of_keys_are_known()
    {
        BpftraceProgram program = BpftraceProgram.Parse(
            "k:f { @a[comm, str(arg0, 5), (uint64)pid] = 1; @[kstack(3)] = 2; @c = count(); @a[1] = 3; }",
            scoped: true);
        Assert.Equal(["comm", "str(arg0, 5)", "(uint64)pid"], program.Keys["@a"]);
        Assert.Equal(["kstack(3)"], program.Keys["@"]);
        Assert.False(program.Keys.ContainsKey("@c"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("// nothing")]
    [InlineData("#define A 1")]
    public void A_program_without_probes_is_refused(string text)
        => Assert.Equal(
            ErrorId.ProgramInvalid,
            Assert.Throws<PyDebugException>(
                () => BpftraceProgram.Parse(text, scoped: true)).ErrorRecord.FullyQualifiedErrorId);

    [Theory]
    [InlineData("k:f")]
    [InlineData("k:f /")]
    [InlineData("k:f {")]
    [InlineData("k:f { \"")]
    [InlineData("k:f /* ")]
    [InlineData("k:f } { @[")]
    [InlineData("struct a {")]
    [InlineData("x y z, , {")]
    public void A_program_that_is_cut_short_is_left_to_bpftrace(string text)
    {
        try
        {
            Assert.NotEqual("", BpftraceProgram.Parse(text, scoped: true).Render(s_words));
        }
        catch (PyDebugException e)
        {
            Assert.Equal(ErrorId.ProgramInvalid, e.ErrorRecord.FullyQualifiedErrorId);
        }
    }
}
