using System;
using System.Collections.Generic;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>Everything an exec connection can do wrong. None of it may look like success.</summary>
public sealed class ExecFaultTests : IDisposable
{
    private readonly FakeCluster _cluster = new();

    public ExecFaultTests() => _cluster.Add(new JsonObject { ["name"] = "pydebug-abcde" }, FakeCluster.Running());

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [InlineData(401, Causes.Unauthorized)]
    [InlineData(403, Causes.Forbidden)]
    [InlineData(409, Causes.ExecFailed)]
    [InlineData(422, Causes.ExecFailed)]
    [InlineData(404, Causes.RequestFailed)]
    [InlineData(429, Causes.RequestFailed, true)]
    [InlineData(500, Causes.ExecFailed)]
    [InlineData(502, Causes.RequestFailed, true)]
    [InlineData(503, Causes.RequestFailed, true)]
    [InlineData(504, Causes.RequestFailed, true)]
    public async Task A_refused_upgrade_keeps_the_servers_words(int code, string cause, bool waits = false)
    {
        int asked = 0;
        _cluster.Before = async (request, connection) =>
        {
            if (request.IsExec)
            {
                asked++;
                await connection.RespondAsync(code, FakeConnection.Status(code, "Reason", "these are the words"));
            }

            return request.IsExec;
        };

        EngineException e = await FailsAsync();

        Assert.Equal(
            (cause, code, "Reason", "these are the words"), (e.Cause, e.StatusCode, e.Reason, e.ServerMessage));
        Assert.DoesNotContain(Secrets.Canary, e.ToString());
        Assert.Equal(waits, asked > 10);
        Assert.InRange(_cluster.Clock.Waited.TotalSeconds, waits ? 50 : 0, waits ? 120 : 0);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    [InlineData(0)]
    public async Task An_upgrade_is_tried_again_while_the_server_is_away(int code)
    {
        await _cluster.Gateway.GetPodAsync(_cluster.Pod, TestContext.Current.CancellationToken);
        int asked = 0;
        _cluster.Before = async (request, connection) =>
        {
            if (!request.IsExec || ++asked > 15)
            {
                return false;
            }

            if (code == 0)
            {
                connection.Reset();
            }
            else
            {
                await connection.RespondAsync(code, "upstream is away", "Retry-After: 2");
            }

            return true;
        };

        Assert.Equal(0, (await RunAsync()).ExitCode);
        Assert.Equal(16, asked);
        Assert.Single(_cluster.Told);
        Assert.Single(_cluster.Warned);
    }

    [Fact]
    public async Task Version_5_is_used_only_where_version_4_is_refused()
    {
        _cluster.Before = async (request, connection) =>
        {
            bool refuse = request.IsExec && request.Headers["sec-websocket-protocol"] == "v4.channel.k8s.io";
            if (refuse)
            {
                await connection.RespondAsync(400, "unable to negotiate protocol");
            }

            return refuse;
        };
        string? protocol = null;
        _cluster.Exec = async exec =>
        {
            protocol = exec.Request.Headers["sec-websocket-protocol"];
            await exec.Connection.WriteFrameAsync([255, 0]);
            await FakeCluster.ProbeAsync(exec);
        };

        await RunAsync();

        Assert.Equal("v5.channel.k8s.io", protocol);
    }

    [Theory]
    [InlineData("")]
    [InlineData("v1.channel.k8s.io")]
    public async Task A_server_that_speaks_neither_version_is_named(string protocol)
    {
        _cluster.Before = async (request, connection) =>
        {
            if (request.IsExec)
            {
                await connection.UpgradeAsync(request, protocol);
            }

            return request.IsExec;
        };

        Assert.Equal(Causes.ProtocolError, (await FailsAsync()).Cause);
    }

    [Theory]
    [InlineData("reset before the upgrade", Causes.ConnectionFailed)]
    [InlineData("reset after the upgrade", Causes.ConnectionFailed)]
    [InlineData("close before the hello", Causes.AgentStartFailed)]
    [InlineData("reset after the hello", Causes.OutcomeUnknown)]
    [InlineData("reset within a frame", Causes.OutcomeUnknown)]
    [InlineData("close within a frame", Causes.OutcomeUnknown)]
    [InlineData("reset before the trailer", Causes.OutcomeUnknown)]
    [InlineData("success without a trailer", Causes.OutcomeUnknown)]
    [InlineData("success and less data than sent", Causes.OutcomeUnknown)]
    [InlineData("no status and no trailer", Causes.OutcomeUnknown)]
    [InlineData("data that changed on its way", Causes.OutcomeUnknown)]
    public async Task Wherever_the_connection_ends_it_is_never_success(string phase, string cause)
    {
        _cluster.Before = (request, connection) =>
        {
            bool cut = request.IsExec && phase == "reset before the upgrade";
            if (cut)
            {
                connection.Reset();
            }

            return Task.FromResult(cut);
        };
        _cluster.Exec = exec => FailAsync(exec, phase);

        EngineException e = await FailsAsync();

        Assert.Equal(cause, e.Cause);
        if (phase == "reset after the upgrade")
        {
            Assert.Matches(@"was cut after \d+\.\d s, before the agent answered", e.Message);
            Assert.DoesNotContain("address", ErrorFactory.From(e, target: null).RecommendedAction);
        }
    }

    [Fact]
    public async Task An_agent_that_was_overdue_is_no_cut_connection()
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            await exec.SendStatusAsync(
                "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\","
                + "\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"4\"}]}}");
            await exec.SendCloseAsync();
        };

        EngineException e = await FailsAsync();

        Assert.Equal(Causes.Timeout, e.Cause);
        Assert.StartsWith("The agent was not done within ", e.Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(42)]
    public async Task With_its_trailer_the_answer_counts_whatever_happens_then(int exit)
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            await exec.SendTrailerAsync(exit);
            await exec.ReadFrameAsync();
            exec.Connection.Reset();
        };

        Assert.Equal(exit, (await RunAsync()).ExitCode);
    }

    [Fact]
    public async Task The_exit_code_is_the_trailers_and_not_the_servers()
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            await exec.FinishAsync(42);
        };

        Assert.Equal(42, (await RunAsync()).ExitCode);
    }

    [Theory]
    [InlineData("text")]
    [InlineData("channel")]
    [InlineData("garbage")]
    [InlineData("huge")]
    [InlineData("no hello")]
    public async Task What_is_not_the_protocol_is_refused(string what)
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await (what switch
            {
                "text" => exec.Connection.WriteFrameAsync("hello"u8.ToArray(), opcode: 1),
                "channel" => exec.SendAsync(9, [1]),
                "garbage" => exec.SendAsync(1, "Python 3.13.5 on linux\n"u8.ToArray()),
                "huge" => exec.SendAsync(1, [0x7f, 0xff, 0xff, 0xff, (byte)'H']),
                _ => exec.SendFrameAsync('R', new JsonObject()),
            });
            await exec.ReadFrameAsync();
        };

        Assert.Equal(Causes.ProtocolError, (await FailsAsync()).Cause);
    }

    [Fact]
    public async Task An_agent_that_does_not_start_says_why()
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.SendAsync(2, Encoding.UTF8.GetBytes("Traceback\nModuleNotFoundError: No module named 'zlib'\n"));
            await exec.SendStatusAsync(
                "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\","
                + "\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"1\"}]}}");
            await exec.SendCloseAsync();
        };

        EngineException e = await FailsAsync();

        Assert.Equal(Causes.AgentStartFailed, e.Cause);
        Assert.Contains("code 1: ModuleNotFoundError: No module named 'zlib'", e.Message);
    }

    private static async Task FailAsync(FakeExec exec, string phase)
    {
        if (phase == "reset after the upgrade")
        {
            exec.Connection.Reset();
            return;
        }

        await exec.BootAsync();
        if (phase == "close before the hello")
        {
            await exec.SendCloseAsync();
            return;
        }

        await exec.HelloAsync();
        byte[] frame = FakeExec.Frame('R', Encoding.UTF8.GetBytes("{\"kind\":\"process\",\"pid\":1}"));
        switch (phase)
        {
            case "reset after the hello":
                exec.Connection.Reset();
                break;
            case "reset within a frame":
                await exec.SendAsync(1, frame[..9]);
                exec.Connection.Reset();
                break;
            case "close within a frame":
                await exec.SendAsync(1, frame[..9]);
                await exec.SendStatusAsync();
                await exec.SendCloseAsync();
                break;
            case "reset before the trailer":
                await exec.SendAsync(1, frame);
                exec.Connection.Reset();
                break;
            case "success without a trailer":
                await exec.SendAsync(1, frame);
                await exec.SendStatusAsync();
                await exec.SendCloseAsync();
                break;
            case "success and less data than sent":
                await exec.SendTrailerAsync(missing: 1000);
                await exec.SendStatusAsync();
                await exec.SendCloseAsync();
                break;
            case "no status and no trailer":
                await exec.SendCloseAsync();
                break;
            default:
                // This frame is not in the hash that the trailer tells.
                await exec.SendAsync(1, frame);
                await exec.SendTrailerAsync(missing: frame.Length);
                await exec.ReadFrameAsync();
                break;
        }
    }

    private Task<AgentOutcome> RunAsync() => _cluster.Gateway.RunAgentAsync(
        _cluster.Pod,
        "pydebug-abcde",
        "python3",
        new() { Op = "ping", Deadline = TimeSpan.FromSeconds(20), ConnectWithin = TimeSpan.FromSeconds(60) },
        (_, _) => ValueTask.CompletedTask,
        TestContext.Current.CancellationToken);

    private Task<EngineException> FailsAsync() => Assert.ThrowsAsync<EngineException>(RunAsync);
}
