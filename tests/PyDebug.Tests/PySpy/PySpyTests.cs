using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using PyDebug.Tests.Profiles;
using PyDebug.Tools.PySpy;
using Xunit;

namespace PyDebug.Tests.Tools;

public sealed class PySpyTests
{
    private static readonly PodDebugSession s_session = new()
    {
        Namespace = "shop", PodName = "backend", ContainerName = "web", NodeName = "n1",
    };

    private static readonly DateTime s_now = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    [Fact]
    public void A_dump_becomes_threads_with_their_frames()
    {
        IReadOnlyList<PyThreadStack> threads = Dump("cpython3.13.5/dump-json.stdout", 1);

        Assert.Equal(7, threads.Count);
        PyThreadStack thread = threads.Single(t => t.Name == "cpu; worker 1");
        Assert.Equal(
            ("shop", "backend", "web", "n1", 1, s_now), (thread.Namespace, thread.PodName, thread.ContainerName,
            thread.NodeName, thread.ProcessId, thread.Timestamp));
        Assert.Equal((7L, "stopped"), (thread.ThreadId, thread.Source));
        Assert.Contains("cpu_worker", thread.Frames.Select(f => f.Name));
        Assert.Equal("/usr/lib/python3.13/threading.py", thread.Frames[^1].FileName);
        Assert.All(thread.Frames, f => Assert.Null(f.Locals));
        Assert.Single(threads, t => t.HoldsGil == true);
        Assert.Equal(1L, Assert.Single(threads, t => t.IsMainThread).ThreadId);
    }

    [Fact]
    public void Locals_are_kept_as_py_spy_writes_them()
    {
        StackFrame worker = Dump("cpython3.13.5/dump-json-locals.stdout", 1)
            .SelectMany(t => t.Frames).Single(f => f.Name == "cpu_worker");

        Dictionary<string, string> locals = worker.Locals!.ToDictionary(l => l.Name, l => l.Value);
        Assert.Equal("0.1", locals["ratio"]);
        Assert.StartsWith("<Order at 0x", locals["order"]);
        Assert.Equal("None", locals["nothing"]);
        Assert.True(worker.Locals!.All(l => l.IsArgument));
    }

    [Fact]
    public void Native_frames_have_a_library_and_no_line()
    {
        IEnumerable<StackFrame> frames = Dump("cpython3.13.5/dump-json-native.stdout", 1).SelectMany(t => t.Frames);

        StackFrame wait = frames.First(f => f.Name == "pthread_cond_timedwait");
        Assert.Equal("/usr/lib/x86_64-linux-gnu/libc.so.6", wait.Module);
        Assert.Null(wait.Line);
    }

    [Fact]
    public void Names_that_are_made_to_hurt_stay_whole_and_move_no_cursor()
    {
        string json = Fixture.Text("py-spy-0.4.3/errors/name-semicolon.stdout");

        PyThreadStack thread = Assert.Single(
            Parse(json[..(json.IndexOf("\n]", StringComparison.Ordinal) + 2)], 94, null));

        Assert.Equal("q;r s\u241b[31m<b>", thread.Frames[0].Name);
        Assert.Equal("/srv/we;ird na\"me.py", thread.Frames[1].FileName);
        Assert.Null(thread.Name);
        Assert.DoesNotContain('\u001b', thread.ToString());
    }

    [Fact]
    public void A_process_that_starts_has_a_thread_without_a_name()
    {
        string json = Fixture.Text("py-spy-0.4.3/errors/starting-up.stdout");

        Assert.All(
            Parse(json[..(json.IndexOf("\n]", StringComparison.Ordinal) + 2)], 53, null), t => Assert.Null(t.Name));
    }

    [Fact]
    public void The_main_thread_of_a_forked_worker_gets_its_own_id_and_no_state_of_its_master()
    {
        string json = Fixture.Text("py-spy-0.4.3/uwsgi2-cpython3.13.5/dump-json-pid7.stdout");

        IReadOnlyList<PyThreadStack> threads = Parse(json, 7, [7, 9]);

        Assert.Equal([7L, 9L], threads.Select(t => t.ThreadId).Order());
        Assert.NotEqual("idle", threads.Single(t => t.ThreadId == 7).State);
        Assert.Equal(7L, Assert.Single(threads, t => t.IsMainThread).ThreadId);
        Assert.Equal([1L, 9L], Parse(json, 7, null).Select(t => t.ThreadId).Order());
    }

    [Fact]
    public void Threads_of_another_process_are_left_out()
    {
        string json = Fixture.Text("py-spy-0.4.3/gunicorn23-cpython3.13.5/dump-json-subprocesses.stdout");

        Assert.Empty(Parse(json, 7, null));
        Assert.NotEmpty(Parse(json, 1, null));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[{}]")]
    [InlineData("[7]")]
    [InlineData("[{\"pid\":1,\"frames\":{}}]")]
    [InlineData("[{\"pid\":1,\"frames\":[")]
    [InlineData("Process 1: python3 app.py")]
    public void Output_of_another_version_is_refused(string json)
        => Assert.Throws<InvalidDataException>(() => Parse(json, 1, null));

    [Fact]
    public void A_thread_needs_nothing_but_frames()
    {
        PyThreadStack thread = Assert.Single(Parse("[{\"frames\":[{}]}]", 1, null));

        Assert.Equal(("unknown", null, 0L), (thread.State, thread.HoldsGil, thread.ThreadId));
        Assert.Equal("?", thread.Frames[0].ToString());
    }

    [Fact]
    public void A_recording_says_what_it_rests_on()
    {
        StackProfile profile = Record(
            new PySpyResult
            {
                ProcessId = 1, CommandLine = "python3 /srv/app.py", PythonVersion = "3.13.5", Version = "0.4.3",
                Seconds = 2.04, Rate = 50, ErrorCount = 0,
            });

        Assert.Equal("py-spy 0.4.3", profile.Tool);
        Assert.Equal((2.04, 50.0, 197L, 0L, true), (profile.DurationSeconds!.Value, profile.SampleRate!.Value,
            profile.SampleCount, profile.ErrorCount, profile.StopsProcess!.Value));
        Assert.Equal("python3 /srv/app.py", profile.CommandLine);
        Assert.Equal("Cpu", profile.Metric);
        Assert.Empty(profile.Warnings);
    }

    [Theory]
    [InlineData(
        "Process 1 was sampled 197 times: it was idle. -IncludeIdle shows where it waits.", 100.0, 50, 0, null, false)]
    [InlineData("py-spy was 1.02 s behind with process 1: the shares may be off. A "
        + "lower -SampleRate helps.", 2.0, 50, 0, 1.02, false)]
    [InlineData("3 samples of process 1 failed and are missing.", 2.0, 50, 3, null, false)]
    [InlineData(
        "Process 1 ended while it was recorded: the profile is what was seen until then.", 100.0, 50, 0, null, true)]
    [InlineData("Process 1 has many threads: it was sampled 20 instead of 50 times a second.", 2.0, 20, 0, null, false)]
    public void What_makes_a_recording_worth_less_is_said(
        string warning, double seconds, int rate, long errors, double? behind, bool exited)
    {
        StackProfile profile = Record(new PySpyResult
        {
            ProcessId = 1, Seconds = seconds, Rate = rate, ErrorCount = errors, Behind = behind, TargetExited = exited,
        });

        Assert.Equal([warning], profile.Warnings);
    }

    [Fact]
    public void A_recording_without_a_sample_is_a_profile_that_says_so()
    {
        PySpyResult result = new() { ProcessId = 9, Seconds = 10, Rate = 100 };
        using MemoryStream file = new("{\"profiles\":[],\"shared\":{\"frames\":[]}}"u8.ToArray());

        StackProfile profile = PySpyProfile.Parse(file, result, s_session, new PySpyOptions(), s_now);

        Assert.Equal((9, 0L), (profile.ProcessId!.Value, profile.SampleCount));
        Assert.Equal(
            ["Process 9 was never sampled: it was idle. -IncludeIdle shows where it waits."], profile.Warnings);
    }

    [Fact]
    public void A_top_counts_a_function_that_calls_itself_once_and_adds_intervals_up()
    {
        PySpyTop top = new();
        StackProfile profile = Fixture.Profile("main;f;f;f 0.5", "main;g 0.25");

        top.Add(profile, new PySpyResult { ProcessId = 1, Seconds = 1 });
        IReadOnlyList<PyTopSample> rows = top.Add(
            profile, new PySpyResult { ProcessId = 1, Seconds = 1, Sequence = 1 });

        Assert.Equal(
            [("f", 50.0, 50.0, 1.0, 1.0), ("g", 25.0, 25.0, 0.5, 0.5), ("main", 0.0, 75.0, 0.0, 1.5)],
            rows.Select(r => (r.Name, r.OwnPercent, r.TotalPercent, r.OwnSeconds, r.TotalSeconds)));
        Assert.All(rows, r => Assert.Equal(2, r.Interval));
    }

    [Fact]
    public void Options_become_the_arguments_that_py_spy_has_for_them()
    {
        Assert.Equal(["--native", "--locals"], new PySpyOptions { Native = true, IncludeLocals = true }.Arguments());
        Assert.Equal(
            ["--nonblocking", "--gil", "--full-filenames"],
            new PySpyOptions { Mode = PySpyOptions.Record, NonBlocking = true, GilOnly = true }.Arguments());
        Assert.Equal(
            ["--idle", "--full-filenames"],
            new PySpyOptions { Mode = PySpyOptions.Top, IncludeIdle = true }.Arguments());
        Assert.Equal("Wall", new PySpyOptions { IncludeIdle = true }.Metric);
        Assert.Equal("Gil", new PySpyOptions { GilOnly = true }.Metric);
    }

    [Fact]
    public void What_the_agent_says_of_a_run_is_read()
    {
        using JsonDocument document = JsonDocument.Parse(
            """
            {"kind":"tool","pid":7,"command":["python3","a b.py"],"python":"3.13.5","threads":[7,9,"x"],
            "version":"0.4.3",
             "sequence":2,"seconds":1.5,"rate":50,"errors":4,"behind":0.7,"ended":"exited","stopped":true,
             "messages":["m"]}
            """);

        PySpyResult result = PySpyResult.Parse(document.RootElement)!;

        Assert.Equal((7, "python3 'a b.py'", "3.13.5", "0.4.3", 2, 1.5, 50, 4L, 0.7, true, true),
            (result.ProcessId, result.CommandLine, result.PythonVersion, result.Version, result.Sequence,
                result.Seconds,
            result.Rate!.Value, result.ErrorCount!.Value, result.Behind!.Value, result.TargetExited,
            result.WasLeftStopped));
        Assert.Equal([7L, 9L], result.Threads!.Order());
        Assert.Equal(["m"], result.Messages);
    }

    private static IReadOnlyList<PyThreadStack> Dump(string name, int process)
        => Parse(Fixture.Text($"py-spy-0.4.3/{name}"), process, null);

    private static IReadOnlyList<PyThreadStack> Parse(string json, int process, long[]? threads)
    {
        PySpyResult result = new() { ProcessId = process, Threads = threads?.ToHashSet() };
        using MemoryStream stream = new(Encoding.UTF8.GetBytes(json));
        return PySpyDump.Parse(stream, result, s_session, nonBlocking: false, s_now);
    }

    [Theory]
    [InlineData(4.0, 2.0, false)]
    [InlineData(3.0, 2.0, false)]
    [InlineData(0.4, 0.1, true)]
    [InlineData(2.0, 2.0, true)]
    public void Samples_are_held_against_the_kernels_counters(double process, double worker, bool wrong)
    {
        using JsonDocument document = JsonDocument.Parse(string.Create(CultureInfo.InvariantCulture, $$"""
            {"pid":1,"seconds":2.04,"rate":50,"cpu":{{process}},"cpuByThread":{"7":{{worker}},"1":0.01,"x":1} }
            """));
        StackProfile profile = Record(PySpyResult.Parse(document.RootElement)!);
        Assert.Equal(process, profile.CpuSeconds);
        Assert.Equal(worker, profile.Threads.Single(t => t.ThreadId == 7).CpuSeconds);
        if (!wrong)
        {
            Assert.Empty(profile.Warnings);
            return;
        }

        string warning = Assert.Single(profile.Warnings);
        Assert.StartsWith("Process 1: py-spy counts 3.94 s of CPU, and the kernel counted", warning);
        Assert.Contains("Measure-PyTime", warning);
        Assert.Equal(process < 1, warning.Contains("Thread 7 \"cpu; worker 1\" has", StringComparison.Ordinal));
    }

    [Fact]
    public void A_thread_that_waited_is_named_where_the_process_as_a_whole_may_be_right()
    {
        StackProfile profile = Plausible(cpu: 10, thread: 0.0, samples: 205);
        Assert.Equal(
            "py-spy counts 2.05 s of CPU, and the kernel counted 10 s; Thread 8 \"reader\" has 2.05 s of it and used 0 "
            + "s. What it took for running was waiting: its shares are not to be trusted. Measure-PyTime "
            + "has the kernel's times.",
            PySpyPlausibility.Check(profile, 100));
        Assert.Null(PySpyPlausibility.Check(Plausible(cpu: 2, thread: 2, samples: 205), 100));
        Assert.Null(PySpyPlausibility.Check(Plausible(cpu: 0.01, thread: 0.01, samples: 12), 100));
        Assert.Null(PySpyPlausibility.Check(profile with { Metric = "Wall" }, 100));
        Assert.Null(PySpyPlausibility.Check(profile with { CpuSeconds = null }, 100));

        static StackProfile Plausible(double cpu, double thread, long samples) => new()
        {
            Metric = "Cpu",
            CpuSeconds = cpu,
            SampleCount = samples,
            Threads = [new ProfileThread { ThreadId = 8, Name = "reader", SampleCount = samples, CpuSeconds = thread }],
        };
    }

    private static StackProfile Record(PySpyResult result)
    {
        using FileStream file = File.OpenRead(Fixture.PathOf("py-spy-0.4.3/cpython3.13.5/record-speedscope.out"));
        PySpyOptions options = new() { Mode = PySpyOptions.Record, SampleRate = 50 };
        return PySpyProfile.Parse(file, result, s_session, options, s_now);
    }
}
