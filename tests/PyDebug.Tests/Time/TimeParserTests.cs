using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using PyDebug.Internal;
using PyDebug.Tests.Profiles;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class TimeParserTests
{
    private const string Least =
        """
        {"pid":1,"method":"kernel","seconds":10,"threads":[{"tid":1,"name":"MainThread","wall":10,"cpu":1}],
        "frames":[["f","/srv/a.py",1],["g","/srv/a.py",2]],"entries":[
        {"tid":1,"reason":"cpu","seconds":1,"samples":99,"frames":[0,1]},
        {"tid":1,"reason":"poll","call":"poll","seconds":9,"samples":400,"frames":[1]}]}
        """;

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
        PyTimeReport report = Recorded();
        Assert.Equal("default/bad-app/web process 1: 10.0 s of 9 threads (kernel sampler)", report.ToString());
        Assert.Equal("node-1", report.NodeName);
        Assert.Equal(s_now, report.Timestamp);
        Assert.Equal(DateTimeKind.Utc, report.Started!.Value.Kind);
        Assert.Equal("Kernel", report.Method);
        Assert.Equal(99, report.SampleRate);
        Assert.Equal(49, report.WaitSampleRate);
        Assert.Equal("3.13.5", report.PythonVersion);
        Assert.Equal("python3 /srv/app.py hot zlib locks slow", report.CommandLine);
        Assert.Null(report.HeldMicroseconds);
        Assert.Equal(0.051, report.AgentCpuSeconds);
        Assert.Equal(1980, report.ProgramRuns);
        Assert.Empty(report.Warnings);
    }

    [Fact]
    public void The_parts_of_every_thread_add_up_to_its_time()
    {
        PyTimeReport report = Recorded();
        Assert.All(report.Threads, t =>
        {
            double parts = t.CpuSeconds + t.GilSeconds + t.LockSeconds + t.SleepSeconds + t.PollSeconds + t.IoSeconds
                + t.FaultSeconds + t.RunnableSeconds!.Value + t.OtherSeconds + t.UnprovenSeconds;
            Assert.Equal(t.WallSeconds, parts, 0.0001);
            Assert.Equal(t.AccountedSeconds, parts, 1e-6);
        });
        Assert.Equal(
            report.Threads.Sum(t => t.WallSeconds), report.Cpu.Sum(c => c.Seconds) + report.Waits.Sum(w => w.Seconds),
            0.0001);
    }

    [Theory]
    [InlineData("kernel-cpython3.11.2", "Kernel", 0)]
    [InlineData("memory-cpython3.11.2", "Memory", 1)]
    public void What_the_agent_recorded_of_a_service_is_read_whole(string name, string method, int warnings)
    {
        PyTimeReport report = Parse(File.ReadAllText(Fixture.PathOf($"time/{name}.json")))!;
        Assert.Equal(method, report.Method);
        Assert.Equal(warnings, report.Warnings.Count);
        Assert.Equal(9, report.Threads.Count);
        double parts = report.Cpu.Sum(c => c.Seconds) + report.Waits.Sum(w => w.Seconds);
        Assert.Equal(report.Threads.Sum(t => t.WallSeconds), parts, 0.001);
        PyTimeThread Thread(string thread) => report.Threads.Single(t => t.Name == thread);
        Assert.StartsWith("hot_loop (troubles.py:2", Thread("cpu worker").Hottest, StringComparison.Ordinal);
        Assert.StartsWith("compress_forever (troubles.py:", Thread("zlib").Hottest, StringComparison.Ordinal);
        Assert.InRange(Thread("zlib").GilSeconds, 0.1, 5);
        Assert.StartsWith("waits_for_lock (troubles.py:", Thread("lock-waiter 2").WaitsAt, StringComparison.Ordinal);
        Assert.Equal(Thread("lock-waiter 2").WallSeconds, Thread("lock-waiter 2").LockSeconds, 0.01);
        Assert.Equal("recvfrom", Thread("reader").WaitsFor);
        Assert.Equal(Thread("upstream").WallSeconds, Thread("upstream").SleepSeconds, 0.3);
        Assert.All(Shown(report).Split('\n'), l => Assert.InRange(l.Length, 0, 119));
    }

    [Fact]
    public void A_thread_says_its_hottest_line_and_where_it_waits()
    {
        PyTimeReport report = Recorded();
        PyTimeThread hot = report.Threads.Single(t => t.Name == "cpu worker");
        Assert.Equal("hot_loop (troubles.py:26)", hot.Hottest);
        Assert.InRange(hot.HottestPercent!.Value, 75, 76);
        Assert.Equal("GIL", hot.WaitsFor);
        Assert.Equal("hot_loop (troubles.py:26)", hot.WaitsAt);
        PyTimeThread reader = report.Threads.Single(t => t.Name == "reader");
        Assert.Equal("fetch (troubles.py:74)", reader.WaitsAt);
        Assert.Equal("recvfrom", reader.WaitsFor);
        PyTimeThread main = report.Threads.Single(t => t.ThreadId == 1);
        Assert.Equal("_PollLikeSelector.select (selectors.py:398) < … < main (app.py:86)", main.WaitsAt);
    }

    [Fact]
    public void Samples_with_and_without_the_GIL_are_one_stack()
    {
        PyTimeReport report = Recorded();
        PyTimeCpu hot = report.Cpu.First(c => c.Thread == "cpu worker");
        Assert.Equal((406, 400L), (hot.SampleCount, hot.WithGilCount));
        Assert.Equal(5.4 * 406 / 536, hot.Seconds, 0.0001);

        // The error of a share of 406 in 536 samples.
        Assert.Equal(5.4 * Math.Sqrt(406 / 536.0 * (130 / 536.0) / 536), hot.StandardErrorSeconds!.Value, 0.0001);
        Assert.Null(Parse(Least)!.Cpu[0].WithGilCount);
    }

    [Fact]
    public void Waits_are_sorted_and_say_reason_call_error_and_frames()
    {
        PyTimeReport report = Recorded();
        Assert.Equal(report.Waits.Select(w => w.Seconds).OrderDescending(), report.Waits.Select(w => w.Seconds));
        PyTimeWait gil = report.Waits.First(w => w.Reason == "Gil" && w.Thread == "cpu worker");
        Assert.Equal("futex", gil.Call);
        Assert.InRange(gil.StandardErrorSeconds!.Value, 0.05, 0.2);
        Assert.Null(gil.Count);
        Assert.Null(gil.LongestSeconds);
        Assert.Equal("hot_loop", gil.Frames[0].Name);
        Assert.Equal("Thread._bootstrap", gil.Frames[^1].Name);
        PyTimeWait unproven = report.Waits.First(w => w.Reason == "Unproven");
        Assert.Equal("(no frames)", TimeText.Where(unproven.Frames));
        Assert.Equal(report.Waits.Where(w => w.Reason == "Unproven").Sum(w => w.Seconds), report.UnprovenSeconds, 1e-9);
    }

    [Fact]
    public void Where_every_wait_was_taken_their_number_and_the_longest_are_said()
    {
        PyTimeReport report = Parse(Least
            .Replace("\"pid\":1,", "\"pid\":1,\"exact\":true,", StringComparison.Ordinal)
            .Replace("\"samples\":400,", "\"samples\":0,\"count\":212,\"longest\":1.02,", StringComparison.Ordinal))!;
        Assert.True(report.Exact);
        RecordTests.AssertRowsSayWhereTheyAreFrom(report);
        Assert.Equal((212L, 1.02), (report.Waits[0].Count, report.Waits[0].LongestSeconds));
        Assert.Equal((212L, 1.02), (report.Threads[0].WaitsCount, report.Threads[0].WaitsLongestSeconds));
        Assert.Equal("212 times, longest 1.02 s", TimeDisplay.Seen(report.Waits[0]));
        Assert.Contains("; poll at g (a.py:2), 212 times, longest 1.02 s", Shown(report), StringComparison.Ordinal);
        Assert.Contains("kernel sampler, every wait, nothing was held", Shown(report), StringComparison.Ordinal);
        Assert.Equal("400 samples", TimeDisplay.Seen(Parse(Least)!.Waits[0]));
        Assert.Null(Parse(Least)!.Threads[0].WaitsCount);
    }

    [Fact]
    public void What_is_not_known_is_null()
    {
        PyTimeReport report = Parse(Least)!;
        Assert.Null(report.Threads[0].RunnableSeconds);
        Assert.Null(report.Threads[0].SwitchCount);
        Assert.Null(report.SampleRate);
        Assert.Null(report.Started);
        Assert.Equal("", Amounts.State(report.Threads[0].RunnableSeconds));
    }

    [Theory]
    [InlineData("\"pid\":1", "\"pid\":0")]
    [InlineData("\"method\":\"kernel\"", "\"method\":\"magic\"")]
    [InlineData("\"seconds\":10", "\"seconds\":-1")]
    [InlineData("\"seconds\":10", "\"seconds\":1e300")]
    [InlineData("\"wall\":10", "\"wall\":\"long\"")]
    [InlineData("\"seconds\":9", "\"seconds\":-9")]
    [InlineData("\"frames\":[0,1]", "\"frames\":[0,2]")]
    [InlineData("\"frames\":[0,1]", "\"frames\":[-1]")]
    [InlineData("\"frames\":[0,1]", "\"frames\":[0.5]")]
    [InlineData("\"frames\":[0,1]", "\"frames\":[\"f\"]")]
    [InlineData("[\"g\",\"/srv/a.py\",2]", "[\"g\",\"/srv/a.py\"]")]
    [InlineData("[\"g\",\"/srv/a.py\",2]", "\"g\"")]
    [InlineData("{\"tid\":1,\"reason\":\"poll\"", "{\"tid\":2,\"reason\":\"poll\"")]
    public void An_answer_that_contradicts_itself_is_refused(string part, string broken)
    {
        Assert.NotNull(Parse(Least));
        Assert.Contains(part, Least, StringComparison.Ordinal);
        Assert.Null(Parse(Least.Replace(part, broken, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_reason_that_nobody_knows_is_other()
        => Assert.Equal("Other", Parse(
            Least.Replace("\"poll\",\"call\"", "\"yawn\",\"call\"", StringComparison.Ordinal))!.Waits[0].Reason);

    [Fact]
    public void Why_it_was_not_the_kernel_comes_with_the_profile_that_has_it()
    {
        PyTimeReport report = Parse(Least.Replace(
            "\"method\":\"kernel\"",
            "\"method\":\"memory\",\"why\":\"CAP_BPF is missing.\",\"whyCause\":\"NoCapability\","
                + "\"held\":23.4,\"rate\":20",
            StringComparison.Ordinal))!;
        Assert.Equal("Memory", report.Method);
        Assert.Equal("CAP_BPF is missing.", report.WhyNotKernel);
        Assert.Equal("Start-PodDebug bad-app -Namespace default -ContainerName web -For Time has it (profile Trace).",
            report.Advice);
        Assert.Contains(
            "default/bad-app/web  process 1  10.0 s of 1 thread  memory sampler at 20 Hz, threads held up to 23 us",
            Shown(report),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "\"ended\":true,\"truth\":{\"samples\":499}", "Process 1 ended, or started another program, after 10.0 s")]
    [InlineData("\"truth\":{\"samples\":0}", "No sample of process 1 could be taken")]
    [InlineData("\"truth\":{\"samples\":499,\"misses\":20}", "20 samples of process 1 gave no stack")]
    [InlineData("\"truth\":{\"samples\":499,\"lost\":20}", "20 events of process 1 were lost")]
    [InlineData("\"truth\":{\"samples\":499,\"truncated\":20}", "20 stacks of process 1 were cut")]
    [InlineData("\"truth\":{\"samples\":19,\"truncated\":1}", "1 stack of process 1 was cut")]
    [InlineData("\"truth\":{\"samples\":499,\"unresolved\":2000}", "2,000 frames of process 1 have no name")]
    public void What_reduces_its_worth_is_said(string part, string warning)
    {
        string json = Least.Replace("\"pid\":1,", $"\"pid\":1,{part},", StringComparison.Ordinal);
        Assert.Contains(warning, string.Join('|', Parse(json)!.Warnings), StringComparison.Ordinal);
        Assert.Single(Parse(json)!.Warnings);
    }

    [Fact]
    public void Parts_that_do_not_add_up_and_waits_that_could_not_be_proven_are_said()
    {
        const string Sampled = "\"pid\":1,\"truth\":{\"samples\":499},";
        string json = Least.Replace("\"pid\":1,", Sampled, StringComparison.Ordinal);
        Assert.Empty(Parse(json)!.Warnings);
        Assert.Contains(
            "The parts of a thread of process 1 do not add up",
            Assert.Single(Parse(json.Replace("\"seconds\":9", "\"seconds\":5", StringComparison.Ordinal))!.Warnings),
            StringComparison.Ordinal);
        Assert.Contains(
            "90 % of the time of process 1 went into waits too short",
            Assert.Single(Parse(
                json.Replace("\"reason\":\"poll\"", "\"reason\":\"unproven\"", StringComparison.Ordinal))!.Warnings),
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_view_has_a_line_for_each_thread_within_120_columns()
    {
        string[] lines = Shown(Recorded()).Trim('\n').Split('\n');
        Assert.StartsWith("   default/bad-app/web  process 1  python3 /srv/app.py", lines[0], StringComparison.Ordinal);
        Assert.EndsWith("  10.0 s of 9 threads  kernel sampler, nothing was held", lines[0], StringComparison.Ordinal);
        Assert.All(lines, l => Assert.InRange(l.Length, 0, 119));
        Assert.StartsWith("Thread Name ", lines[2], StringComparison.Ordinal);
        Assert.Equal(9, lines.Length - 4);
        Assert.Contains("hot_loop (troubles.py:26) 76 %; GIL there", lines[5], StringComparison.Ordinal);
        Assert.Contains(lines, l => l.Contains("fetch (troubles.py:74): recvfrom", StringComparison.Ordinal));
    }

    [Fact]
    public void A_quota_that_held_the_container_up_is_said_and_so_are_the_agents_remarks()
    {
        Assert.DoesNotContain("quota", Shown(Parse(Least)!), StringComparison.Ordinal);
        string json = Least.Replace("\"pid\":1,", "\"pid\":1,\"throttled\":2.13,", StringComparison.Ordinal);
        Assert.EndsWith(
            "\n\n   The container's CPU quota kept it from running for 2.1 s.", Shown(Parse(json)!),
            StringComparison.Ordinal);
        string remarked = json.Replace(
            "\"pid\":1,", "\"pid\":1,\"notes\":[\"A\\u001b[2J.\",\"B.\"],", StringComparison.Ordinal);
        Assert.EndsWith(" for 2.1 s.\n   A\u241b[2J.\n   B.", Shown(Parse(remarked)!), StringComparison.Ordinal);
    }

    [Fact]
    public void Of_very_many_threads_the_view_shows_those_that_did_most()
    {
        StringBuilder threads = new();
        StringBuilder entries = new();
        for (int tid = 2; tid < 300; tid++)
        {
            threads.Append($",{{\"tid\":{tid},\"name\":\"t{tid}\",\"wall\":10,\"cpu\":{(tid == 250 ? 9 : 0)}}}");
            string reason = tid == 250 ? "cpu" : "sleep";
            entries.Append($",{{\"tid\":{tid},\"reason\":\"{reason}\",\"seconds\":10,\"samples\":9,\"frames\":[0]}}");
        }

        PyTimeReport report = Parse(Least
            .Replace(",\"cpu\":1}]", $",\"cpu\":1}}{threads}]", StringComparison.Ordinal)
            .Replace("\"frames\":[1]}]", $"\"frames\":[1]}}{entries}]", StringComparison.Ordinal))!;
        string shown = Shown(report);
        Assert.Equal(299, report.Threads.Count);
        Assert.Contains("t250", shown, StringComparison.Ordinal);
        Assert.Contains("MainThread", shown, StringComparison.Ordinal);
        Assert.Contains("… and 259 threads that did less; .Threads has all of them", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void Hostile_names_change_nothing_on_the_screen()
    {
        PyTimeReport report = Parse(Least
            .Replace("MainThread", "a\\u001b[2J\\u202eb", StringComparison.Ordinal)
            .Replace("[\"f\"", "[\"x\\n\\u202egpj\\u001b]0;\\u0007\"", StringComparison.Ordinal))!;
        string shown = Shown(report) + report.Cpu[0] + report.Waits[0] + report.Threads[0];
        Assert.DoesNotContain('\u001b', shown);
        Assert.DoesNotContain('\u202e', shown);
        Assert.DoesNotContain('\u0007', shown);
        Assert.Contains("x\u240a\\u202egpj", shown, StringComparison.Ordinal);
        Assert.Equal(6, Shown(report).Trim('\n').Split('\n').Length + 1);
    }

    [Fact]
    public void Wide_letters_do_not_push_the_columns()
    {
        string shown = Shown(Parse(Least.Replace("MainThread", "日本語の関数名前がとても長い", StringComparison.Ordinal))!);
        string row = shown.Trim('\n').Split('\n')[4];
        Assert.Contains("     1 日本語の…も長い 1.0s ", row, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.0, ".")]
    [InlineData(0.0004, ".")]
    [InlineData(0.0123, "12ms")]
    [InlineData(0.0999, "0.1s")]
    [InlineData(4.86, "4.9s")]
    [InlineData(99.94, "99.9s")]
    [InlineData(612.0, "612s")]
    [InlineData(7200.0, "120m")]
    public void Times_are_short(double seconds, string text) => Assert.Equal(text, Amounts.State(seconds));

    internal static PyTimeReport Recorded() => Parse(File.ReadAllText(Fixture.PathOf("cases/time-kernel.json")))!;

    private static string Shown(PyTimeReport report) => TimeDisplay.Whole(report);

    private static PyTimeReport? Parse(string json)
    {
        using JsonDocument? document = Json.Parse(Encoding.UTF8.GetBytes(json));
        return TimeParser.Parse(document!.RootElement, s_session, s_now);
    }
}
