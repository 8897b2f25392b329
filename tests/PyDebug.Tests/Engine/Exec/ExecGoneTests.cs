using System;
using System.Collections.Generic;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>An exec whose container is gone: how that ended is said.</summary>
public sealed class ExecGoneTests : IDisposable
{
    private readonly FakeCluster _cluster = new();

    public ExecGoneTests() => _cluster.Add(new JsonObject { ["name"] = "pydebug-abcde" }, FakeCluster.Running());

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [InlineData("terminated", Causes.DebugContainerGone)]
    [InlineData("absent", Causes.DebugContainerGone)]
    [InlineData("target", Causes.TargetNotRunning)]
    [InlineData("replaced", Causes.PodReplaced)]
    [InlineData("running", Causes.AgentStartFailed)]
    public async Task A_container_that_is_gone_is_told_as_that(string how, string cause)
    {
        JsonObject status = _cluster.PodObject["status"]!.AsObject();
        switch (how)
        {
            case "terminated":
                status["ephemeralContainerStatuses"]![0]!["state"] = FakeCluster.Terminated("OOMKilled", 137, "");
                break;
            case "absent":
                _cluster.Ephemeral.Clear();
                status["ephemeralContainerStatuses"]!.AsArray().Clear();
                break;
            case "target":
                _cluster.Ephemeral[0]!["targetContainerName"] = "app";
                status["ephemeralContainerStatuses"]![0]!["state"] = FakeCluster.Terminated("Error", 137, "");
                status["containerStatuses"]![0]!["state"] = FakeCluster.Waiting("CrashLoopBackOff");
                break;
            case "replaced":
                _cluster.PodObject["metadata"]!["uid"] = "uid-9";
                break;
        }

        string words = how == "running" ? "something else" : "container not found (\\\"pydebug-abcde\\\")";
        _cluster.Exec = async exec =>
        {
            await exec.SendStatusAsync(
                $"{{\"status\":\"Failure\",\"reason\":\"InternalError\",\"message\":\"{words}\"}}");
            await exec.SendCloseAsync();
        };

        Assert.Equal(cause, (await FailsAsync()).Cause);
    }

    [Theory]
    [InlineData("OOMKilled", "was OOMKilled (code 137, restart count 2)")]
    [InlineData("Error", "ended (Error, code 137, restart count 2)")]
    public async Task A_debug_container_that_ended_with_its_target_says_how_that_ended(string reason, string words)
    {
        JsonObject status = _cluster.PodObject["status"]!.AsObject();
        JsonObject ended = FakeCluster.Terminated("Error", 137, "");
        ended["terminated"]!["finishedAt"] = "2026-11-25T01:02:03Z";
        _cluster.Ephemeral[0]!["targetContainerName"] = "app";
        status["ephemeralContainerStatuses"]![0]!["state"] = ended;
        JsonObject last = FakeCluster.Terminated(reason, 137, "");
        last["terminated"]!["finishedAt"] = "2026-11-25T01:02:01Z";
        status["containerStatuses"]![0]!["lastState"] = last;
        status["containerStatuses"]![0]!["restartCount"] = 2;
        _cluster.Exec = async exec =>
        {
            await exec.SendStatusAsync(
                "{\"status\":\"Failure\",\"reason\":\"InternalError\","
                + "\"message\":\"container not found (\\\"pydebug-abcde\\\")\"}");
            await exec.SendCloseAsync();
        };

        EngineException e = await FailsAsync();

        Assert.Equal(Causes.DebugContainerGone, e.Cause);
        Assert.Contains($"has ended with container 'app', which {words}.", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("failed to create exec \\\"9f\\\": cannot exec in a stopped state")]
    [InlineData("failed to create exec \\\"9f\\\": cannot exec in a deleted state")]
    [InlineData("no running task found: task 9f not found: not found")]
    [InlineData("container is in CONTAINER_EXITED state")]
    [InlineData("OCI runtime exec failed: cannot exec in a stopped container")]
    public async Task A_container_that_ended_for_the_runtime_is_gone_once_the_server_knows(string words)
    {
        int looks = 0;
        _cluster.Before = (request, _) =>
        {
            if (request.Method == "GET" && !request.IsExec && ++looks == 3)
            {
                _cluster.PodObject["status"]!["ephemeralContainerStatuses"]![0]!["state"] =
                    FakeCluster.Terminated("Completed", 0, "");
            }

            return Task.FromResult(false);
        };
        _cluster.Exec = async exec =>
        {
            await exec.SendStatusAsync(
                $"{{\"status\":\"Failure\",\"reason\":\"InternalError\",\"message\":\"{words}\"}}");
            await exec.SendCloseAsync();
        };

        Assert.Equal(Causes.DebugContainerGone, (await FailsAsync()).Cause);
        Assert.True(looks >= 3);
    }

    [Theory]
    [InlineData(137, true, Causes.DebugContainerGone)]
    [InlineData(137, false, Causes.OutcomeUnknown)]
    [InlineData(1, true, Causes.OutcomeUnknown)]
    public async Task An_agent_that_was_killed_is_gone_with_its_container_once_the_server_knows(
        int code, bool ends, string cause)
    {
        int looks = 0;
        _cluster.Before = (request, _) =>
        {
            if (request.Method == "GET" && !request.IsExec && ++looks == 3 && ends)
            {
                _cluster.PodObject["status"]!["ephemeralContainerStatuses"]![0]!["state"] =
                    FakeCluster.Terminated("Error", 137, "");
            }

            return Task.FromResult(false);
        };
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            await exec.SendFrameAsync('P', new JsonObject());
            await exec.SendStatusAsync(
                "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\","
                + $"\"details\":{{\"causes\":[{{\"reason\":\"ExitCode\",\"message\":\"{code}\"}}]}}}}");
            await exec.SendCloseAsync();
        };

        Assert.Equal(cause, (await FailsAsync()).Cause);
        Assert.Equal(code == 137, looks >= 3);
    }

    private Task<EngineException> FailsAsync()
        => Assert.ThrowsAsync<EngineException>(() => _cluster.Gateway.RunAgentAsync(
        _cluster.Pod,
        "pydebug-abcde",
        "python3",
        new() { Op = "ping", Deadline = TimeSpan.FromSeconds(20), ConnectWithin = TimeSpan.FromSeconds(60) },
        (_, _) => ValueTask.CompletedTask,
        TestContext.Current.CancellationToken));
}
