using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using PyDebug.Profiles;
using Xunit;

namespace PyDebug.Tests.Profiles;

public sealed class SpeedscopeTests
{
    [Fact]
    public void A_recording_of_py_spy_keeps_its_threads_samples_and_seconds()
    {
        StackProfile profile = Assert.Single(Fixture.Speedscope("py-spy-0.4.3/cpython3.13.5/record-speedscope.out"));

        Assert.Equal("py-spy 0.4.3", profile.Tool);
        Assert.Equal("Cpu", profile.Metric);
        Assert.Equal("seconds", profile.Unit);
        Assert.Equal(197, profile.SampleCount);
        Assert.Equal(3.94, profile.Samples.Sum(s => s.Value), 6);
        Assert.Equal(7, profile.Threads.Count);
        ProfileThread busiest = profile.Threads[0];
        Assert.Equal(
            ("cpu; worker 1", 7L, 1.06, 53L), (busiest.Name, busiest.ThreadId, busiest.Value, busiest.SampleCount));
        StackSample hottest = profile.Samples[0];
        Assert.Equal("hot_loop", hottest.Frames[0].Name);
        Assert.Equal("Thread._bootstrap", hottest.Frames[^1].Name);
    }

    [Fact]
    public void Processes_with_equal_thread_ids_stay_apart()
    {
        IReadOnlyList<StackProfile> profiles = Fixture.Speedscope("cases/speedscope-two-processes.json");

        Assert.Equal([(12, 0.03), (13, 0.02)], profiles.Select(p => (p.ProcessId!.Value, p.Samples.Sum(s => s.Value))));
        Assert.All(profiles, p => Assert.Equal(0x7F5A1C2B4740, Assert.Single(p.Threads).ThreadId));
    }

    [Fact]
    public void The_frames_that_name_a_process_become_its_command_line()
    {
        IReadOnlyList<StackProfile> profiles =
            Fixture.Speedscope("py-spy-0.4.3/uwsgi2-cpython3.13.5/record-speedscope-subprocesses.out");

        Assert.Equal([7, 8], profiles.Select(p => p.ProcessId));
        Assert.All(profiles, p => Assert.StartsWith("/usr/bin/uwsgi --plugins-dir", p.CommandLine));
        Assert.DoesNotContain(
            profiles.SelectMany(p => p.Samples).SelectMany(s => s.Frames), f => f.Name.StartsWith("process "));
    }

    [Fact]
    public void A_function_that_is_called_like_a_process_frame_stays_a_function()
    {
        StackProfile profile = Assert.Single(Fixture.Parse(
            """
            {"shared":{"frames":[{"name":"main","file":"a.py","line":1},{"name":"process 3:\"x\"","file":"","line":0}]},
             "profiles":[{"type":"sampled","name":"Process 3 Thread 3","unit":"seconds","samples":[[0,1]],
             "weights":[1]}]}
            """));

        Assert.Null(profile.CommandLine);
        Assert.Equal(["process 3:\"x\"", "main"], profile.Samples[0].Frames.Select(f => f.Name));
    }

    [Theory]
    [InlineData("Thread 3 \"name\"", null, 3L, "name")]
    [InlineData("Process 3 Thread 8 \"name\"", 3, 8L, "name")]
    [InlineData("Process 12 Thread 0x7F5A1C2B4740 \"MainThread\"", 12, 0x7F5A1C2B4740L, "MainThread")]
    [InlineData("Thread 3", null, 3L, null)]
    [InlineData("Thread 3 \"\"", null, 3L, "")]
    [InlineData("Thread 3 \"a\" Thread 4 \"b\"", null, 3L, "a\" Thread 4 \"b")]
    [InlineData("Process 3 Thread 8 \"x\n\" Process 9\"", 3, 8L, "x\n\" Process 9")]
    [InlineData("Thread pool", null, null, "Thread pool")]
    [InlineData("MainThread", null, null, "MainThread")]
    [InlineData("Process 99999999999 Thread 1", null, null, "Process 99999999999 Thread 1")]
    [InlineData("Thread 99999999999999999999", null, null, "Thread 99999999999999999999")]
    public void A_profile_name_is_parsed_from_both_ends(string name, int? process, long? thread, string? threadName)
        => Assert.Equal(new SpeedscopeName(process, thread, threadName), SpeedscopeName.Parse(name));

    [Fact]
    public void What_is_written_is_read_again_with_nothing_lost()
    {
        StackProfile[] profiles =
        [
            Fixture.Speedscope("py-spy-0.4.3/cpython3.13.5/record-speedscope.out")[0] with
            {
                Namespace = "shop", PodName = "backend", ContainerName = "web", NodeName = "n1", ProcessId = 7,
                Timestamp = new DateTime(
                    2026, 11, 25, 1, 2, 3, DateTimeKind.Utc), CommandLine = "python3 ;<b> \"наïve\"",
                PythonVersion = "3.13.5", Metric = "Wall", DurationSeconds = 2.02, SampleRate = 50, ErrorCount = 3,
                StopsProcess = true, Warnings = ["py-spy was 1.02 s behind."],
            },
            Fixture.Profile(
                "a;b 1", "a 2", "a;b 1") with { ProcessId = 8, PodName = "backend", Metric = "Bytes", Unit = "bytes" },
        ];

        IReadOnlyList<StackProfile> read = RoundTrip(profiles);

        Assert.Equal(2, read.Count);
        for (int i = 0; i < profiles.Length; i++)
        {
            Assert.Equal(Flat(profiles[i]), Flat(read[i]));
            Assert.Equal(Order(profiles[i]), Order(read[i]));
            Assert.Equal(Facts(profiles[i]), Facts(read[i]));
            Assert.Equal(profiles[i].Warnings, read[i].Warnings);
            Assert.Equal(profiles[i].Threads, read[i].Threads);
        }
    }

    [Fact]
    public void Samples_without_a_list_of_threads_are_written_all_the_same()
    {
        StackProfile collapsed = Assert.Single(Fixture.Collapsed("main;foo 1\nmain;foo;bar 4\nmain;idle 5\n"));
        StackProfile shorter = Fixture.Speedscope(
            "py-spy-0.4.3/cpython3.13.5/record-speedscope.out")[0] with { Threads = [] };

        Assert.Equal(Flat(collapsed), Flat(Assert.Single(RoundTrip([collapsed]))));
        Assert.Equal(10, Assert.Single(RoundTrip([collapsed])).SampleCount);
        Assert.Equal(Flat(shorter).Order(), Flat(Assert.Single(RoundTrip([shorter]))).Order());
    }

    [Fact]
    public void A_profile_without_samples_is_read_again_as_one()
    {
        StackProfile empty = Fixture.Profile() with { ProcessId = 7, Threads = [] };

        StackProfile read = Assert.Single(RoundTrip([empty]));

        Assert.Equal((7, 0L, 0), (read.ProcessId!.Value, read.SampleCount, read.Samples.Count));
    }

    [Theory]
    [InlineData("events", "@opens")]
    [InlineData("", "@bytes")]
    [InlineData("allocations", "LeakedAllocations")]
    [InlineData("bytes", "Leaked")]
    [InlineData("samples", "Samples")]
    public void Units_that_the_format_has_no_name_for_are_kept(string unit, string metric)
    {
        StackProfile profile = Fixture.Profile("a;b 3") with { Unit = unit, Metric = metric };

        StackProfile read = Assert.Single(RoundTrip([profile]));

        Assert.Equal((unit, metric, 3.0), (read.Unit, read.Metric, read.Samples[0].Value));
    }

    [Fact]
    public void Counts_beyond_what_a_double_holds_are_written_to_the_last_digit()
    {
        ProfileBuilder builder = new([new StackFrame { Name = "a" }]);
        builder.Add(builder.Thread(null, null), [0], 1, 9007199254740993);

        StackProfile read = Assert.Single(RoundTrip([builder.Build(new StackProfile())]));

        Assert.Equal(9007199254740993, read.SampleCount);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"profiles\":[]}")]
    [InlineData("{\"shared\":{\"frames\":[]},\"profiles\":[{\"type\":\"sampled\",\"samples\":[[0]],\"weights\":[1]}]}")]
    [InlineData(
        "{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"sampled\",\"samples\":[[0]],\"weights\":[]}]}")]
    [InlineData(
        "{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"sampled\",\"samples\":[[0]],\"weights\":[-1]}]}")]
    [InlineData(
        "{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"sampled\",\"samples\":[[-1]],\"weights\":[1]}]}")]
    [InlineData("{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"sampled\",\"samples\":[7],\"weights\":[1]}]}")]
    [InlineData("{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"other\"}]}")]
    [InlineData("{\"shared\":{\"frames\":[{}]},\"profiles\":[7]}")]
    [InlineData("{\"shared\":7,\"profiles\":[{\"type\":\"sampled\",\"samples\":[[0]],\"weights\":[1]}]}")]
    [InlineData("{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"evented\",\"events\":[{\"type\":\"C\","
        + "\"at\":1,\"frame\":0}]}]}")]
    public void A_damaged_file_is_refused_with_a_reason(string json)
        => Assert.NotEmpty(Assert.Throws<InvalidDataException>(() => Fixture.Parse(json)).Message);

    [Fact]
    public void A_file_that_was_cut_short_is_refused()
    {
        string whole = Fixture.Text("py-spy-0.4.3/cpython3.13.5/record-speedscope.out");

        for (int length = 100; length < whole.Length; length += 997)
        {
            Assert.Throws<InvalidDataException>(() => Fixture.Parse(whole[..length]));
        }
    }

    [Fact]
    public void Lone_surrogates_and_missing_fields_do_no_harm()
    {
        StackProfile profile = Assert.Single(Fixture.Parse(
            """
            {"shared":{"frames":[{"name":"\ud800","file":null,"line":-4},{}]},
             "profiles":[{"type":"sampled","name":"\ud800","unit":7,"samples":[[0,1],[]],"weights":[1,2.5]}]}
            """));

        Assert.Equal("samples", profile.Unit);
        Assert.Equal(3.5, profile.Samples.Sum(s => s.Value));
        Assert.Null(profile.Samples[1].Frames[1].Line);
    }

    [Fact]
    public void Events_are_summed_by_the_time_between_them()
    {
        StackProfile profile = Assert.Single(Fixture.Parse(
            """
            {"shared":{"frames":[{"name":"a"},{"name":"b"}]},"profiles":[{"type":"evented","name":"t",
            "unit":"milliseconds",
             "startValue":0,"events":[{"type":"O","at":0,"frame":0},{"type":"O","at":10,"frame":1},
             {"type":"C","at":40,"frame":1},{"type":"C","at":50,"frame":0}]}]}
            """));

        Assert.Equal([("b", 0.03), ("a", 0.02)], profile.Samples.Select(s => (s.Frames[0].Name, s.Value)));
    }

    [Theory]
    [InlineData("{\"type\":\"O\",\"frame\":0,\"at\":2}", 0, 10, "'main', opened by event 0 at 2, is never closed")]
    [InlineData("{\"type\":\"O\",\"frame\":0,\"at\":0},{\"type\":\"O\",\"frame\":1,\"at\":2},"
        + "{\"type\":\"C\",\"frame\":0,\"at\":5}", 0, 10,
        "event 2 at 5 closes 'main' while 'load' is the innermost open frame")]
    [InlineData("{\"type\":\"O\",\"frame\":0,\"at\":0},{\"type\":\"O\",\"frame\":1,\"at\":6},"
        + "{\"type\":\"C\",\"frame\":1,\"at\":4}", 0, 10,
        "event 2 at 4 lies before the event before it at 6")]
    [InlineData("{\"type\":\"O\",\"frame\":0,\"at\":1}", 2, 10, "event 0 at 1 lies before its start at 2")]
    [InlineData("{\"type\":\"O\",\"frame\":0,\"at\":1},{\"type\":\"C\",\"frame\":0,\"at\":20}", 0, 10, "event 1 at 20 "
        + "lies behind its end at 10")]
    [InlineData("{\"type\":\"O\",\"frame\":0,\"at\":1},{\"type\":\"X\",\"frame\":0,\"at\":2}", 0, 10, "event 1 at 2 is "
        + "neither of type O nor C")]
    [InlineData("{\"type\":\"C\",\"frame\":1,\"at\":1}", 0, 10, "event 0 at 1 closes 'load', and no frame is open")]
    [InlineData("{\"type\":\"O\",\"frame\":7,\"at\":1}", 0, 10, "event 0 at 1 refers to frame 7, which is not among "
        + "the 2 of the file (0 to 1)")]
    [InlineData("{\"type\":\"O\",\"frame\":0}", 0, 10, "event 0 has no time")]
    [InlineData("", 10, 0, "it ends at 0, before it begins at 10")]
    public void A_damaged_profile_of_events_is_refused_with_the_event_and_its_time(
        string events, int start, int end, string message)
    {
        string json = $$$"""
            {"profiles":[{"type":"evented","name":"worker","unit":"milliseconds","startValue":{{{start}}},
            "endValue":{{{end}}},"events":[{{{events}}}]}],
             "shared":{"frames":[{"name":"main"},{"name":"load"}]}}
            """;
        Assert.Equal(
            $"Profile 0 'worker': {message}.", Assert.Throws<InvalidDataException>(() => Fixture.Parse(json)).Message);
    }

    [Fact]
    public void The_file_of_a_recorder_that_died_is_refused()
        => Assert.Contains(
            "'main', opened by event 0 at 0, is never closed",
            Assert.Throws<InvalidDataException>(
                () => Fixture.Speedscope("cases/speedscope-evented-unclosed.json")).Message);

    [Theory]
    [InlineData("[[0],[7]]", "[1,1]", "sample 1 refers to frame 7, which is not among the 3 of the file (0 to 2)")]
    [InlineData("[[0],[-1]]", "[1,1]", "sample 1 refers to something that is no frame's number")]
    [InlineData("[[0],0]", "[1,1]", "sample 1 is not a list of frames")]
    [InlineData("[[0]]", "[1,1]", "it has 1 samples and 2 weights")]
    [InlineData("[[0]]", "[1e300]", "weight 0 is not a number from 0 to 9.3e+18")]
    [InlineData("7", "[]", "it has no 'samples'")]
    public void A_damaged_profile_of_samples_is_refused_with_the_sample(string samples, string weights, string message)
    {
        string json = $$$"""
            {"profiles":[{"type":"sampled","name":"t","unit":"none","samples":{{{samples}}},"weights":{{{weights}}}}],
             "shared":{"frames":[{"name":"a"},{"name":"b"},{"name":"c"}]}}
            """;
        Assert.Equal(
            $"Profile 0 't': {message}.", Assert.Throws<InvalidDataException>(() => Fixture.Parse(json)).Message);
    }

    [Theory]
    [InlineData("{\"type\":\"O\",\"at\":2,\"frame\":0},{\"type\":\"C\",\"at\":10,\"frame\":0}", 2.0)]
    [InlineData("{\"type\":\"O\",\"at\":0,\"frame\":0},{\"type\":\"C\",\"at\":7,\"frame\":0}", 3.0)]
    [InlineData("{\"type\":\"O\",\"at\":0,\"frame\":0},{\"type\":\"C\",\"at\":4,\"frame\":0},{\"type\":\"O\",\"at\":5,"
        + "\"frame\":0},{\"type\":\"C\",\"at\":10,\"frame\":0}", 1.0)]
    [InlineData("", 10.0)]
    public void Time_without_an_open_frame_counts_as_such(string events, double gap)
    {
        StackProfile profile = Assert.Single(Fixture.Parse($$$"""
            {"profiles":[{"type":"evented","name":"t","unit":"none","startValue":0,"endValue":10,
            "events":[{{{events}}}]}],"shared":{"frames":[{"name":"a"}]}}
            """));
        Assert.Equal((10.0, gap),
            (profile.Samples.Sum(s => s.Value), profile.Samples.Where(s => s.Frames.Count == 0).Sum(s => s.Value)));
    }

    [Fact]
    public void Each_unit_of_a_file_becomes_a_profile_of_its_own()
    {
        IReadOnlyList<StackProfile> profiles = Fixture.Speedscope("cases/speedscope-mixed-units.json");

        Assert.Equal(
            [("seconds", "Time", 2.0), ("bytes", "Bytes", 4096.0)],
            profiles.Select(p => (p.Unit, p.Metric, p.Samples.Sum(s => s.Value))));
    }

    [Fact]
    public void A_file_without_profiles_gives_none()
        => Assert.Empty(Fixture.Speedscope("cases/speedscope-no-profiles.json"));

    [Fact]
    public void Profiles_of_one_name_without_an_id_are_different_threads()
    {
        StackProfile profile = Assert.Single(Fixture.Parse(
            """
            {"shared":{"frames":[{"name":"a"}]},"profiles":[
             {"type":"sampled","name":"twin","unit":"seconds","samples":[[0]],"weights":[1]},
             {"type":"sampled","name":"twin","unit":"seconds","samples":[[0]],"weights":[2]}]}
            """));

        Assert.Equal([("twin #2", 2.0), ("twin", 1.0)], profile.Threads.Select(t => (t.Name, t.Value)));
        Assert.Equal(Flat(profile), Flat(Assert.Single(RoundTrip([profile]))));
    }

    [Fact]
    public void Threads_say_whose_they_are_and_which_is_the_main_one()
    {
        StackProfile profile = Fixture.Parse(
            """
            {"shared":{"frames":[{"name":"a"}]},"profiles":[
             {"type":"sampled","name":"Process 7 Thread 7 \"MainThread\"","unit":"seconds","samples":[[0]],
             "weights":[3]},
             {"type":"sampled","name":"Process 7 Thread 9 \"MainThread\"","unit":"seconds","samples":[[0]],
             "weights":[2]},
             {"type":"sampled","name":"Process 7 Thread 0x7F5A1C2B4740 \"x\"","unit":"seconds","samples":[[0]],
             "weights":[1]}]}
            """).Single();

        Assert.Equal(
            [(7, true), (7, false), (7, null)], profile.Threads.Select(t => (t.ProcessId!.Value, t.IsMainThread)));
    }

    [Fact]
    public void Frames_may_stand_behind_the_samples_and_a_mark_of_byte_order_before_all()
    {
        const string Json = """
            {"profiles":[{"weights":[1],"samples":[[0]],"type":"sampled","unit":"none","name":"t"}],
             "shared":{"x":[1,{"y":2}],"frames":[{"name":"a"}]}}
            """;
        using MemoryStream stream = new([0xef, 0xbb, 0xbf, .. System.Text.Encoding.UTF8.GetBytes(Json)]);
        Assert.Equal("a", Fixture.Read(stream)[0].Samples[0].Frames[0].Name);
    }

    private static IReadOnlyList<StackProfile> RoundTrip(IReadOnlyList<StackProfile> profiles)
    {
        using MemoryStream stream = new();
        SpeedscopeWriter.Write(stream, profiles, "1.0.0");
        stream.Position = 0;
        return Fixture.Read(stream);
    }

    private static List<(string?, string)> Order(StackProfile profile)
        => [.. profile.Timeline!
            .Select(r => (
                profile.Samples[r.Sample].Thread, string.Join(';', profile.Samples[r.Sample].Frames), r.Value, r.Count))
            .GroupBy(r => r.Thread)
            .OrderBy(t => t.Key, StringComparer.Ordinal)
            .Select(t => (t.Key, string.Join('|', t)))];

    private static object Facts(StackProfile p)
        => (p.Namespace, p.PodName, p.ContainerName, p.NodeName, p.ProcessId, p.Timestamp, p.CommandLine,
            (p.PythonVersion, p.Metric, p.Unit, p.DurationSeconds, p.SampleRate, p.SampleCount, p.ErrorCount,
                p.StopsProcess));

    private static List<string> Flat(StackProfile profile)
        => [.. profile.Samples.Select(s => $"{s.ThreadId} {s.Thread} {s.Value} {s.Count} "
            + string.Join(" | ", s.Frames.Select(f => $"{f.Name}\0{f.FileName}\0{f.Line}")))];
}
