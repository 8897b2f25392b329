using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using PyDebug.Profiles;
using PyDebug.Tests.Profiles;
using PyDebug.Tools.PySpy;
using Xunit;

namespace PyDebug.Tests.Tools;

/// <summary>What became of the process while py-spy looked at it.</summary>
public sealed class PySpyReplacedTests
{
    private static readonly DateTime s_now = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    [Fact]
    public void Samples_that_may_be_of_another_program_are_left_out()
    {
        const string Json = """
            {"shared":{"frames":[{"name":"before"},{"name":"after"},{"name":"start"}]},"profiles":[
             {"type":"sampled","name":"Thread 6 \"MainThread\"","unit":"seconds","samples":[[0],[0],[0],[0],[2],[1]],
             "weights":[0.01,0.01,0.01,0.01,0.01,0.01]},
             {"type":"sampled","name":"Thread 6","unit":"seconds","samples":[[1],[1]],"weights":[0.01,0.01]}]}
            """;
        PySpyResult result =
            new() { ProcessId = 6, Seconds = 2.5, Rate = 100, TargetReplaced = true, DoubtfulSamples = 3 };
        using MemoryStream file = new(Encoding.UTF8.GetBytes(Json));

        StackProfile profile = PySpyProfile.Parse(file, result, new PodDebugSession(), new PySpyOptions(), s_now);

        Assert.Equal([("before", 3L, 0.03)], profile.Samples.Select(s => (s.Frames[0].Name, s.Count, s.Value)));
        Assert.Equal((3L, "MainThread", 6),
            (profile.SampleCount, Assert.Single(profile.Threads).Name, profile.Threads[0].ProcessId));
        Assert.Contains("Process 6 became another program while it was recorded", profile.Warnings[0]);
    }

    [Fact]
    public void Failed_samples_are_told_with_their_share_and_py_spys_own_words()
    {
        PySpyResult result = new()
        {
            ProcessId = 6, Seconds = 0.5, Rate = 100, ErrorCount = 327, SampleCount = 179,
            Messages = ["Error: failed to get stack trace."],
        };
        using MemoryStream file = new(
            Encoding.UTF8.GetBytes(Fixture.Text("py-spy-0.4.3/cpython3.13.5/record-speedscope.out")));

        StackProfile profile = PySpyProfile.Parse(file, result, new PodDebugSession(), new PySpyOptions(), s_now);

        Assert.Contains("327 samples (64.6 %) of process 6 failed and are missing: Error: failed to get stack trace.",
            profile.Warnings);
    }

    [Theory]
    [InlineData("S", "idle")]
    [InlineData("R", "running")]
    [InlineData("D", "idle")]
    [InlineData(null, "unknown")]
    public void The_state_of_a_forked_worker_is_what_the_kernel_says(string? letter, string state)
    {
        string json = Fixture.Text("py-spy-0.4.3/uwsgi2-cpython3.13.5/dump-json-pid7.stdout")
            .Replace("\"owns_gil\": true", "\"owns_gil\": false", StringComparison.Ordinal);
        PySpyResult result = new()
        {
            ProcessId = 7, Threads = new HashSet<long> { 7, 9 },
            States = letter is null ? new Dictionary<long, string>() : new Dictionary<long, string> { [7] = letter },
        };
        using MemoryStream file = new(Encoding.UTF8.GetBytes(json));

        IReadOnlyList<PyThreadStack> threads = PySpyDump.Parse(
            file, result, new PodDebugSession(), nonBlocking: false, s_now);

        Assert.Equal(state, threads.Single(t => t.ThreadId == 7).State);
    }

    [Fact]
    public void The_agents_words_of_states_and_of_what_replaced_it_are_read()
    {
        using JsonDocument document = JsonDocument.Parse(
            """
            {"kind":"tool","pid":7,"states":{"7":"S","x":"R","9":4},"ended":"replaced","doubtful":13,"samples":100}
            """);
        PySpyResult result = PySpyResult.Parse(document.RootElement)!;
        Assert.Equal([KeyValuePair.Create(7L, "S")], result.States);
        Assert.Equal((true, 13L, 100L), (result.TargetReplaced, result.DoubtfulSamples, result.SampleCount!.Value));
    }
}
