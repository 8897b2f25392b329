using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using PyDebug.Internal;
using PyDebug.Profiles;
using Xunit;

namespace PyDebug.Tests.Profiles;

public sealed class CollapsedTests
{
    [Fact]
    public void Names_with_separators_spaces_and_digits_at_their_end_stay_whole()
    {
        StackProfile profile = Read(Fixture.Text("cases/collapsed-semicolon-names.txt"));

        Assert.Equal(100, profile.Samples.Sum(s => s.Value));
        Assert.Equal([40.0, 25, 20, 10, 5], profile.Samples.Select(s => s.Value));
        Assert.Equal(
            ["spin", "render; part 2", "<module>"], profile.Samples[0].Frames.Select(f => f.Name));
        Assert.Equal(
            ("/srv/svc;blue/views.py", 10), (profile.Samples[0].Frames[1].FileName, profile.Samples[0].Frames[1].Line));
        Assert.Equal("count 12", profile.Samples[1].Frames[0].Name);
        Assert.Equal(
            ("operator()", "lib.so"), (profile.Samples[4].Frames[0].Name, profile.Samples[4].Frames[0].FileName));
    }

    [Fact]
    public void What_is_exported_has_the_same_number_of_frames_for_every_reader()
    {
        StackProfile profile = Read(Fixture.Text("cases/collapsed-semicolon-names.txt"));
        StringWriter writer = new();

        int changed = CollapsedWriter.Write(writer, [profile]).ChangedNames;

        string[] lines = writer.ToString().Split('\n', System.StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(profile.Samples.Select(s => s.Frames.Count), lines.Select(l => l.Split(';').Length));
        Assert.Equal(1, changed);
        Assert.Equal(
            profile.Samples.Select(s => (s.Frames.Count, s.Value)),
            Read(writer.ToString()).Samples.Select(s => (s.Frames.Count, s.Value)));
    }

    [Fact]
    public void A_raw_recording_of_py_spy_is_read()
    {
        StackProfile profile = Read(Fixture.Text("py-spy-0.4.3/cpython3.13.5/record-raw.out"));

        Assert.Equal(175, profile.Samples.Sum(s => s.Value));
        Assert.Equal(26, profile.Samples.Max(s => s.Frames.Count));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a;b")]
    [InlineData("a;b x")]
    [InlineData("a;b -3")]
    [InlineData("a;b NaN")]
    public void A_file_of_another_kind_is_refused(string text)
        => Assert.Throws<InvalidDataException>(() => Read(text));

    [Fact]
    public void A_line_that_is_no_sample_costs_that_line_and_is_told_of()
    {
        StackProfile profile = Read("main;a 1\nnocount\nmain;b 2\n");

        Assert.Equal((3L, 3.0), (profile.SampleCount, profile.Samples.Sum(s => s.Value)));
        Assert.Equal("1 of 3 lines has no stack with a number and was skipped (line 2: 'nocount').", Assert.Single(
            profile.Warnings));
    }

    [Fact]
    public void A_dirty_file_gives_what_is_in_it()
    {
        StackProfile profile = Read(Fixture.Text("cases/collapsed-dirty.txt"));

        Assert.Equal(22.5, profile.Samples.Sum(s => s.Value));
        Assert.Contains("3 of 9 lines have no stack", profile.Warnings[0]);
        Assert.Contains("1 of 6 stacks has a number that is not whole", profile.Warnings[1]);
        Assert.DoesNotContain(profile.Samples, s => s.Frames.Count == 0);
    }

    [Fact]
    public void The_name_of_a_thread_may_hold_a_line_end_and_a_semicolon()
    {
        StackProfile profile = Read(Fixture.Text("cases/collapsed-newline-thread.txt"));

        Assert.Equal(105, profile.Samples.Sum(s => s.Value));
        Assert.Equal([(7013L, "pool \"A\";#1\u240a2", 100.0), (6971L, "MainThread", 5.0)], profile.Threads.Select(
            t => (t.ThreadId!.Value, t.Name!, t.Value)));
        Assert.Equal(["spin", "work", "run"], profile.Samples[0].Frames.Select(f => f.Name));
        Assert.Contains("2 lines were put together", Assert.Single(profile.Warnings));
    }

    [Theory]
    [InlineData("a 9007199254740993\n", 9007199254740993, "a 9007199254740993\n")]
    [InlineData("a 9007199254740993\nb 1\n", 9007199254740994, "a 9007199254740993\nb 1\n")]
    [InlineData("a 0.4\nb 2.5\n", 3, "b 2.5\na 0.4\n")]
    [InlineData("a 1e3\n", 1000, "a 1000\n")]
    [InlineData("a 9223372036854775807\n", long.MaxValue, "a 9223372036854775807\n")]
    public void Numbers_keep_their_last_digit_and_their_fraction(string text, long count, string written)
    {
        StackProfile profile = Read(text);

        Assert.Equal(count, profile.SampleCount);
        Assert.Equal(written, Write(profile));
    }

    [Theory]
    [InlineData("a 9223372036854775807\nb 1\n")]
    [InlineData("a 1e30\n")]
    [InlineData("a 99999999999999999999\n")]
    public void Numbers_beyond_what_can_be_counted_are_refused(string text)
        => Assert.Throws<LimitExceededException>(() => Fixture.Collapsed(text));

    [Fact]
    public void Samples_of_unequal_length_are_written_as_time()
    {
        StackProfile profile = Assert.Single(Fixture.Parse(
            """
            {"shared":{"frames":[{"name":"a"},{"name":"b"}]},"profiles":[{"type":"evented","name":"t",
            "unit":"milliseconds",
             "startValue":0,"endValue":50,"events":[{"type":"O","at":0,"frame":0},{"type":"O","at":10,"frame":1},
             {"type":"C","at":45,"frame":1},{"type":"C","at":50,"frame":0}]}]}
            """));
        StringWriter writer = new();

        CollapsedNotes notes = CollapsedWriter.Write(writer, [profile]);

        Assert.Equal("a;b 35000\na 15000\n", writer.ToString());
        Assert.Contains("microseconds", Assert.Single(notes.Warnings()));
    }

    [Fact]
    public void The_form_of_Pythons_own_sampler_is_read_with_its_threads_files_and_lines()
    {
        StackProfile profile = Read(Fixture.Text("cases/sampling315-collapsed.txt"));

        Assert.Equal([(101L, 71L), (102L, 29L)], profile.Threads.Select(t => (t.ThreadId!.Value, t.SampleCount)));
        Assert.Equal(85, profile.Samples.Where(s => s.Frames[0].Name == "price").Sum(s => s.Count));
        Assert.Equal(("price", "views.py", 41), Place(profile.Samples[0].Frames[0]));
        Assert.Equal(("Thread.run", "threading.py", 1024), Place(profile.Samples[1].Frames[^1]));
        Assert.Equal(("_find_and_load", "<frozen importlib._bootstrap>", 1360), Place(profile.Samples[2].Frames[0]));
        Assert.Equal(("name", "C:stage:2.py:odd", 5), Place(profile.Samples[3].Frames[0]));
        Assert.Equal(("<GC>", "", null), Place(profile.Samples[4].Frames[0]));
        Assert.Empty(profile.Warnings);
    }

    [Fact]
    public void A_recording_of_Pythons_own_sampler_with_native_code_is_read()
    {
        StackProfile profile = Read(Fixture.Text("profiling-3.15.2/collapsed-native.txt"));

        Assert.Equal([(4932L, 2893L), (4887L, 2893L)], profile.Threads.Select(t => (t.ThreadId!.Value, t.SampleCount)));
        Assert.Contains(profile.Samples[0].Frames, f => Place(f) == ("<native>", "", null));
        Assert.All(
            profile.Samples.SelectMany(s => s.Frames), f => Assert.Equal(f.Name == "<native>", f.FileName.Length == 0));
        Assert.Contains(
            profile.Samples.SelectMany(s => s.Frames), f => Place(f) == ("_run_module_as_main", "<frozen runpy>", 201));
    }

    [Fact]
    public void A_semicolon_within_a_name_of_Pythons_own_sampler_ends_no_frame()
        => Assert.Equal(
            [("b;c", "x;y.py", 7), ("<module>", "app.py", 3)],
            Read("tid:1;app.py:<module>:3;x;y.py:b;c:7 4\n").Samples[0].Frames.Select(Place));

    [Fact]
    public void Processes_and_threads_around_stacks_are_facts_and_no_frames()
    {
        IReadOnlyList<StackProfile> profiles = Fixture.Collapsed(
            """
            process 1:"uwsgi --ini "a;b"";process 7:"uwsgi";thread (7): MainThread;main (a.py:1);f (a.py:2) 3
            process 1:"uwsgi --ini "a;b"";process 8:"uwsgi -x";thread (9);main (a.py:1) 2
            process 1:"uwsgi --ini "a;b"";main (a.py:1) 1
            """);

        Assert.Equal([(7, "uwsgi", 3L), (8, "uwsgi -x", 2L), (1, "uwsgi --ini \"a;b\"", 1L)], profiles.Select(
            p => (p.ProcessId!.Value, p.CommandLine!, p.SampleCount)));
        ProfileThread main = Assert.Single(profiles[0].Threads);
        Assert.Equal((7, 7L, "MainThread", true),
            (main.ProcessId!.Value, main.ThreadId!.Value, main.Name!, main.IsMainThread!.Value));
        Assert.Equal((9L, null, false), (profiles[1].Threads[0].ThreadId!.Value, profiles[1].Threads[0].Name,
            profiles[1].Threads[0].IsMainThread!.Value));
        Assert.Equal(["f", "main"], profiles[0].Samples[0].Frames.Select(f => f.Name));
        Assert.Empty(profiles[2].Threads);
    }

    [Fact]
    public void Several_profiles_in_one_file_of_ours_come_apart_again()
    {
        StackProfile one = Read("main (a.py:1);f (a.py:2) 3\n") with { Namespace = "shop", PodName = "backend",
            ContainerName = "web", ProcessId = 7 };
        StackProfile two = Read(
            "main (a.py:1) 4\n") with { Namespace = "shop", PodName = "other", ContainerName = "web", ProcessId = 7 };

        IReadOnlyList<StackProfile> read = Fixture.Collapsed(Write(one, two));

        Assert.Equal([("backend", 7, 3L, 2), ("other", 7, 4L, 1)], read.Select(
            p => (p.PodName, p.ProcessId!.Value, p.SampleCount, p.Samples[0].Frames.Count)));
    }

    [Fact]
    public void A_profile_without_samples_and_a_stack_without_frames_are_read_again_as_such()
    {
        StackProfile empty = Read(Write(Fixture.Profile()));
        StackProfile frameless = Read(Write(Fixture.Profile(" 5") with { Unit = "samples" }));

        Assert.Equal((0L, 0), (empty.SampleCount, empty.Samples.Count));
        Assert.Empty(Assert.Single(frameless.Samples).Frames);
    }

    [Fact]
    public void A_text_of_another_kind_is_not_taken_for_a_few_stacks()
        => Assert.Contains(
            "Only 2 of its 102 lines end", Assert.Throws<InvalidDataException>(
                () => Fixture.Collapsed(
                    string.Concat(Enumerable.Repeat("2026-11-25 started\n", 100)) + "took 5\nmain 3\n")).Message);

    [Theory]
    [InlineData("a", ";", 2_000_000, ") 1\n")]
    [InlineData("", "a;", 1_500_000, "b (c:1) 1\n")]
    [InlineData("", "a);", 1_200_000, "b (c:1) 1\n")]
    [InlineData("process 1:\"", "\";", 1_500_000, "b (c:1) 1\n")]
    [InlineData("thread (1): ", "x;", 1_500_000, "b (c:1) 1\n")]
    [InlineData("", " ", 3_000_000, "1\n")]
    [InlineData("tid:1;", "a;", 1_500_000, "b 1\n")]
    [InlineData("tid:1;", ":", 3_000_000, " 1\n")]
    [InlineData("a ", "9", 3_000_000, "\n")]
    [InlineData("", "x", 6_000_000, "")]
    [InlineData("", "thread (1): x\n", 100_000, "a 1\n")]
    [InlineData("a 1\n", "process 1:\"x\n", 100_000, "")]
    public void A_line_of_megabytes_is_read_or_refused_within_seconds(string begin, string again, int times, string end)
    {
        string text = begin + string.Concat(Enumerable.Repeat(again, times)) + end;
        Stopwatch watch = Stopwatch.StartNew();
        try
        {
            Fixture.Collapsed(text);
        }
        catch (Exception e) when (e is LimitExceededException or InvalidDataException)
        {
            Assert.NotEmpty(e.Message);
        }

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"{watch.Elapsed}");
    }

    [Fact]
    public void Reading_stops_when_it_is_told_to()
    {
        using CancellationTokenSource stop = new();
        stop.Cancel();
        using MemoryStream stream = new(Encoding.UTF8.GetBytes("a 1\n"));
        Assert.Throws<OperationCanceledException>(() => CollapsedReader.Read(stream, new StackProfile(), stop.Token));
        using MemoryStream json = new(Encoding.UTF8.GetBytes("""{"shared":{"frames":[]},"profiles":[]}"""));
        Assert.Throws<OperationCanceledException>(() => SpeedscopeReader.Read(json, new StackProfile(), stop.Token));
    }

    private static (string, string, int?) Place(StackFrame frame) => (frame.Name, frame.FileName, frame.Line);

    private static StackProfile Read(string text) => Assert.Single(Fixture.Collapsed(text));

    private static string Write(params StackProfile[] profiles)
    {
        StringWriter writer = new();
        CollapsedWriter.Write(writer, profiles);
        return writer.ToString();
    }
}
