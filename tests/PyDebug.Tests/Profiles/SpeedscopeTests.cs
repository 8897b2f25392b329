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
        Assert.Equal(("cpu; worker 1", 7L, 1.06, 53L), (busiest.Name, busiest.ThreadId, busiest.Value, busiest.SampleCount));
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
             "profiles":[{"type":"sampled","name":"Process 3 Thread 3","unit":"seconds","samples":[[0,1]],"weights":[1]}]}
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
                Timestamp = new DateTime(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc), CommandLine = "python3 ;<b> \"наïve\"",
                PythonVersion = "3.13.5", Metric = "Wall", DurationSeconds = 2.02, SampleRate = 50, ErrorCount = 3,
                StopsProcess = true, Warnings = ["py-spy was 1.02 s behind."],
            },
            Fixture.Profile("a;b 1", "a 2", "a;b 1") with { ProcessId = 8, PodName = "backend", Metric = "Bytes", Unit = "bytes" },
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

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"profiles\":[]}")]
    [InlineData("{\"shared\":{\"frames\":[]},\"profiles\":[{\"type\":\"sampled\",\"samples\":[[0]],\"weights\":[1]}]}")]
    [InlineData("{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"sampled\",\"samples\":[[0]],\"weights\":[]}]}")]
    [InlineData("{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"sampled\",\"samples\":[[0]],\"weights\":[-1]}]}")]
    [InlineData("{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"sampled\",\"samples\":[[-1]],\"weights\":[1]}]}")]
    [InlineData("{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"sampled\",\"samples\":[7],\"weights\":[1]}]}")]
    [InlineData("{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"other\"}]}")]
    [InlineData("{\"shared\":{\"frames\":[{}]},\"profiles\":[7]}")]
    [InlineData("{\"shared\":7,\"profiles\":[{\"type\":\"sampled\",\"samples\":[[0]],\"weights\":[1]}]}")]
    [InlineData("{\"shared\":{\"frames\":[{}]},\"profiles\":[{\"type\":\"evented\",\"events\":[{\"type\":\"C\",\"at\":1,\"frame\":0}]}]}")]
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
            {"shared":{"frames":[{"name":"a"},{"name":"b"}]},"profiles":[{"type":"evented","name":"t","unit":"milliseconds",
             "startValue":0,"events":[{"type":"O","at":0,"frame":0},{"type":"O","at":10,"frame":1},
             {"type":"C","at":40,"frame":1},{"type":"C","at":50,"frame":0}]}]}
            """));

        Assert.Equal([("b", 0.03), ("a", 0.02)], profile.Samples.Select(s => (s.Frames[0].Name, s.Value)));
    }

    private static IReadOnlyList<StackProfile> RoundTrip(IReadOnlyList<StackProfile> profiles)
    {
        using MemoryStream stream = new();
        SpeedscopeWriter.Write(stream, profiles, "1.0.0");
        stream.Position = 0;
        return SpeedscopeReader.Read(stream, new StackProfile());
    }

    private static List<(string?, string)> Order(StackProfile profile)
        => [.. profile.Timeline!
            .Select(r => (profile.Samples[r.Sample].Thread, string.Join(';', profile.Samples[r.Sample].Frames), r.Value, r.Count))
            .GroupBy(r => r.Thread)
            .OrderBy(t => t.Key, StringComparer.Ordinal)
            .Select(t => (t.Key, string.Join('|', t)))];

    private static object Facts(StackProfile p)
        => (p.Namespace, p.PodName, p.ContainerName, p.NodeName, p.ProcessId, p.Timestamp, p.CommandLine,
            (p.PythonVersion, p.Metric, p.Unit, p.DurationSeconds, p.SampleRate, p.SampleCount, p.ErrorCount, p.StopsProcess));

    private static List<string> Flat(StackProfile profile)
        => [.. profile.Samples.Select(s => $"{s.ThreadId} {s.Thread} {s.Value} {s.Count} "
            + string.Join(" | ", s.Frames.Select(f => $"{f.Name}\0{f.FileName}\0{f.Line}")))];
}
