using System;
using System.Management.Automation.Runspaces;
using System.Text.Json.Nodes;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Internal;
using PyDebug.Tools.Memray;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class MemrayHistoryTests
{
    private static readonly PodDebugSession s_session = new()
    {
        Namespace = "default",
        PodName = "bad-app",
        ContainerName = "web",
        PodUid = "uid-1",
    };

    private static readonly DateTime s_begun = MemrayParserTests.Recorded().Started!.Value;

    [Fact]
    public void What_one_runspace_saw_another_is_not_told()
    {
        using Runspace mine = RunspaceFactory.CreateRunspace(InitialSessionState.CreateDefault2());
        using Runspace theirs = RunspaceFactory.CreateRunspace(InitialSessionState.CreateDefault2());
        Assert.Same(MemrayHistory.Of(mine), MemrayHistory.Of(mine));
        Assert.NotSame(MemrayHistory.Of(mine), MemrayHistory.Of(theirs));
        Assert.NotSame(MemrayHistory.Of(null), MemrayHistory.Of(null));
    }

    [Fact]
    public void After_an_end_at_the_limit_the_next_report_says_so_and_what_the_last_one_knew()
    {
        MemrayHistory history = new();
        history.Add(s_session, MemrayParserTests.Recorded());
        string? text = history.Tell(s_session, Ended("OOMKilled", s_begun.AddSeconds(41)), s_begun.AddSeconds(60));
        string at = s_begun.AddSeconds(41).ToString("HH:mm:ss");
        Assert.Equal(
            $"Container 'web' was OOMKilled (code 137, restart count 3) at {at} UTC. The last report, of "
            + $"{s_begun:HH:mm:ss} UTC, saw 38.1 MiB kept in 30.0 s, most of it (36.1 MiB) by remember (cache.py:51), "
            + "and 15 s until the limit.",
            text);
    }

    [Fact]
    public void An_end_before_the_last_report_is_no_news()
    {
        MemrayHistory history = new();
        history.Add(s_session, MemrayParserTests.Recorded());
        Assert.Null(history.Tell(s_session, Ended("OOMKilled", s_begun.AddSeconds(-1)), s_begun.AddSeconds(60)));
        Assert.Null(history.Tell(s_session, Ended(null, null), s_begun.AddSeconds(60)));
    }

    [Fact]
    public void Without_a_report_before_the_end_alone_is_told_while_it_is_news()
    {
        MemrayHistory history = new();
        string? text = history.Tell(s_session, Ended("Error", s_begun), s_begun.AddMinutes(59));
        Assert.Equal($"Container 'web' ended (Error, code 137, restart count 3) at {s_begun:HH:mm:ss} UTC.", text);
        Assert.Null(history.Tell(s_session, Ended("Error", s_begun), s_begun.AddMinutes(61)));
    }

    [Fact]
    public void Another_pod_of_the_same_name_is_another()
    {
        MemrayHistory history = new();
        history.Add(s_session, MemrayParserTests.Recorded());
        string? text = history.Tell(
            s_session with { PodUid = "uid-2" }, Ended("OOMKilled", s_begun.AddSeconds(41)), s_begun.AddSeconds(60));
        Assert.DoesNotContain("last report", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Terminated", "OOMKilled", 60, 2, "OOMKilled x2")]
    [InlineData("Terminated", "OOMKilled", 60, 0, "OOMKilled")]
    [InlineData("Terminated", "OOMKilled", -60, 2, "Terminated")]
    [InlineData("Terminated", "Error", 60, 2, "Terminated")]
    [InlineData("Running", "OOMKilled", 60, 2, "Running")]
    public void A_session_that_ended_with_its_target_says_so_in_its_state(
        string state,
        string reason,
        int seconds,
        int restarts,
        string text)
    {
        PodDebugSession session = s_session with
        {
            State = state,
            Started = s_begun,
            TargetLastEnded = s_begun.AddSeconds(seconds),
            TargetLastEndReason = reason,
            TargetRestartCount = restarts,
        };
        Assert.Equal(text, Display.State(session));
    }

    [Fact]
    public void A_request_says_what_was_asked_for_and_the_question_what_is_done()
    {
        MemrayOptions options = new()
        {
            DurationSeconds = 5,
            Native = true,
            Aggregate = true,
            MaximumCaptureBytes = 1 << 21,
            KeepCapture = true,
        };
        JsonObject body = [];
        options.Write(body);
        Assert.Equal(
            """{"seconds":5,"native":true,"pythonAllocators":false,"aggregate":true,"maximumBytes":2097152,"""
                + "\"keepCapture\":true,\"stacks\":5000,\"depth\":128}",
            body.ToJsonString());
        Assert.Equal(
            "run memray 1.20.0, native, aggregated, for 5 s inside (pause about 10 ms, memory about 9 MiB, 1.2 to 2.3 "
            + "times slower while it does nothing but allocate; undone at the end except for the loaded module)",
            options.Action("1.20.0"));
        Assert.Empty(new MemrayOptions().Costs());
        Assert.Single(new MemrayOptions { PythonAllocators = true }.Costs());
        Assert.Equal(2, new System.Collections.Generic.List<string>(options.Costs()).Count);
    }

    private static ContainerInfo Ended(string? reason, DateTime? time) => new()
    {
        Name = "web",
        Image = "x",
        Command = [],
        RestartCount = 3,
        LastEndReason = reason,
        LastExitCode = 137,
        LastEnded = time,
    };
}
