using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>A request to the agent over exec, when all goes well and when it does not.</summary>
public sealed class AgentTests : IDisposable
{
    private readonly FakeCluster _cluster = new();
    private readonly List<AgentFrame> _frames = [];

    public AgentTests() => _cluster.Add(new JsonObject { ["name"] = "pydebug-abcde" }, FakeCluster.Running());

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public async Task The_agent_is_sent_asked_heard_and_let_go()
    {
        JsonObject? question = null;
        FakeExec? far = null;
        _cluster.Exec = async exec =>
        {
            far = exec;
            question = await exec.BootAsync();
            await exec.HelloAsync();
            await exec.SendFrameAsync('B', Array.Empty<byte>());
            await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "process", ["pid"] = 7 });
            await exec.SendAsync(2, Encoding.UTF8.GetBytes("a note\n"));
            await exec.FinishAsync(3);
        };

        JsonObject body = new() { ["pids"] = new JsonArray(7) };
        AgentOutcome outcome = await RunAsync(new() { Op = "processes", Body = body });

        Assert.Equal(3, outcome.ExitCode);
        Assert.Equal("a note\n", outcome.StandardError);
        Assert.Equal(['H', 'R'], _frames.Select(f => f.Kind));
        Assert.Equal("processes", question!["op"]!.ToString());
        Assert.Equal(1, question["v"]!.GetValue<int>());
        Assert.Equal(60, question["deadline"]!.GetValue<double>());
        Assert.Equal(7, question["pids"]![0]!.GetValue<int>());
        Assert.Equal(
            [
                "pydebug_agent", "pydebug_agent.entry", "pydebug_agent.errors", "pydebug_agent.typing",
                "pydebug_agent.main", "pydebug_agent.protocol", "pydebug_agent.protocol.channel",
                "pydebug_agent.target", "pydebug_agent.target.run",
            ],
            far!.Modules);
        Assert.Equal("op processes\nneeds 1048576\nlow 0\nnew 0\n", far.Header);
        Assert.Equal(
            ["/usr/bin/python3", "-I", "-S", "-B", "-c", "boot program"], far.Request.Query.GetValues("command")!);
        Assert.Equal("false", far.Request.Query["tty"]);
        Assert.Equal("v4.channel.k8s.io", far.Request.Headers["sec-websocket-protocol"]);
    }

    [Fact]
    public async Task A_payload_goes_out_in_small_messages_and_arrives_whole()
    {
        byte[] content = new byte[300_000];
        Random.Shared.NextBytes(content);
        MemoryStream arrived = new();
        FakeExec? far = null;
        _cluster.Exec = async exec =>
        {
            far = exec;
            await exec.BootAsync();
            await exec.HelloAsync();
            await exec.SendFrameAsync('N', new JsonObject { ["name"] = "py-spy" });
            (char kind, byte[] payload) = await exec.ReadFrameAsync();
            while (kind == 'D')
            {
                arrived.Write(payload);
                (kind, payload) = await exec.ReadFrameAsync();
            }

            await exec.FinishAsync(kind == 'Z' ? 0 : 9);
        };

        AgentOutcome outcome = await RunAsync(new()
        {
            Op = "pyspy",
            Provide = (need, _) => Task.FromResult<Stream?>(
                need["name"]!.ToString() == "py-spy" ? new MemoryStream(content) : null),
        });

        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal(content, arrived.ToArray());
        Assert.InRange(far!.LongestMessage, 1, 32 << 10);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(32 << 10)]
    [InlineData(32 << 20)]
    public async Task However_the_output_is_sliced_it_is_the_same(int messageSize)
    {
        byte[] file = new byte[messageSize < 100 ? 3_000 : Math.Max(3_000_000, messageSize / 3)];
        Random.Shared.NextBytes(file);
        _cluster.Exec = async exec =>
        {
            FakeExec sliced = new(exec.Request, exec.Connection) { MessageSize = messageSize };
            await sliced.BootAsync();
            await sliced.HelloAsync();
            await sliced.SendFrameAsync('F', file);
            await sliced.Connection.WriteFrameAsync([1]);
            await sliced.Connection.WriteFrameAsync([]);
            await sliced.FinishAsync();
        };

        await RunAsync(new() { Op = "get" });

        Assert.Equal(file, _frames.Single(f => f.Kind == 'F').Payload);
    }

    [Fact]
    public async Task A_message_in_fragments_belongs_to_one_channel()
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.Connection.WriteFrameAsync([2], final: false);
            await exec.Connection.WriteFrameAsync(Encoding.UTF8.GetBytes("\u0001\u0003note"), opcode: 0, final: true);
            await exec.HelloAsync();
            await exec.FinishAsync();
        };

        Assert.Equal("\u0001\u0003note", (await RunAsync(new() { Op = "ping" })).StandardError);
    }

    [Theory]
    [InlineData("{\"status\":\"\\ud800\"}")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{\"status\":{\"a\":1,\"a\":2}}")]
    [InlineData("[")]
    public async Task A_last_word_that_cannot_be_read_ends_the_wait_at_once(string status)
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.SendStatusAsync(status);
            await exec.SendCloseAsync();
        };
        Stopwatch watch = Stopwatch.StartNew();

        EngineException failure = await Assert.ThrowsAsync<EngineException>(() => RunAsync(new() { Op = "ping" }));

        Assert.Equal(Causes.AgentStartFailed, failure.Cause);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"{watch.Elapsed}");
    }

    [Theory]
    [InlineData('F')]
    [InlineData('G')]
    public async Task A_slow_consumer_does_not_stop_the_socket(char kind)
    {
        const int Chunks = 40;
        TaskCompletionSource allSent = new();
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            for (int i = 0; i < Chunks; i++)
            {
                await exec.SendFrameAsync(kind, new byte[1 << 20]);
            }

            await exec.SendTrailerAsync();
            allSent.SetResult();
            await exec.ReadFrameAsync();
        };

        await _cluster.Gateway.RunAgentAsync(
            _cluster.Pod,
            "pydebug-abcde",
            "python3",
            new() { Op = "get", Deadline = TimeSpan.FromSeconds(60) },
            async (frame, ct) =>
            {
                // Everything was taken from the socket although this consumer has not read its second frame.
                await allSent.Task.WaitAsync(TimeSpan.FromSeconds(50), ct);
                _frames.Add(frame);
            },
            TestContext.Current.CancellationToken);

        Assert.Equal(Chunks, _frames.Count(f => f.Kind == kind));
    }

    [Fact]
    public async Task Once_the_trailer_is_there_no_clock_takes_the_answer_from_a_slow_consumer()
    {
        TaskCompletionSource acknowledged = new();
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "process" });
            await exec.SendTrailerAsync();
            if ((await exec.ReadFrameAsync()).Kind == 'A')
            {
                acknowledged.SetResult();
            }

            await exec.ReadFrameAsync();
        };

        AgentOutcome outcome = await _cluster.Gateway.RunAgentAsync(
            _cluster.Pod,
            "pydebug-abcde",
            "python3",
            new() { Op = "stack", Deadline = TimeSpan.FromMilliseconds(100) },
            async (frame, ct) =>
            {
                // The far side is let go at once; time runs out and the server is silent before this one reads on.
                await acknowledged.Task.WaitAsync(TimeSpan.FromSeconds(50), ct);
                await Task.Delay(FakeCluster.Timing.Silence + FakeCluster.Timing.Tick * 4, ct);
                _frames.Add(frame);
            },
            TestContext.Current.CancellationToken);

        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal(['H', 'R'], _frames.Select(f => f.Kind));
    }

    [Fact]
    public async Task A_quiet_server_is_given_up()
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            await Task.Delay(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        };
        long begun = Stopwatch.GetTimestamp();

        EngineException e = await FailsAsync();

        Assert.Equal(Causes.PeerSilent, e.Cause);
        Assert.InRange(Stopwatch.GetElapsedTime(begun), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task An_agent_that_only_breathes_is_given_up_after_its_deadline()
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            while (true)
            {
                await exec.SendFrameAsync('B', Array.Empty<byte>());
                await Task.Delay(200, TestContext.Current.CancellationToken);
            }
        };

        EngineException e = await FailsAsync(new() { Op = "stack", Deadline = TimeSpan.FromSeconds(2) });

        Assert.Equal(Causes.Timeout, e.Cause);
    }

    [Fact]
    public async Task Cancelling_tells_the_agent_and_returns_soon()
    {
        using CancellationTokenSource cancel = new();
        TaskCompletionSource<char> told = new();
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            await cancel.CancelAsync();
            told.SetResult((await exec.ReadFrameAsync()).Kind);
        };
        Task run = _cluster.Gateway.RunAgentAsync(
            _cluster.Pod, "pydebug-abcde", "python3", new() { Op = "stack" }, TakeAsync, cancel.Token);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => run.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
        Assert.Equal('C', await told.Task.WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_consumer_that_fails_ends_the_agent_and_keeps_its_exception()
    {
        TaskCompletionSource<char> told = new();
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            told.SetResult((await exec.ReadFrameAsync()).Kind);
            await exec.FinishAsync(130);
        };

        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => _cluster.Gateway.RunAgentAsync(
            _cluster.Pod,
            "pydebug-abcde",
            "python3",
            new() { Op = "stack" },
            (_, _) => throw new InvalidTimeZoneException(),
            TestContext.Current.CancellationToken));

        Assert.Equal('C', await told.Task.WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task An_upload_that_was_refused_meanwhile_goes_no_further()
    {
        FakeExec? far = null;
        _cluster.Exec = async exec =>
        {
            far = exec;
            await exec.BootAsync();
            await exec.HelloAsync();
            await exec.SendFrameAsync('N', new JsonObject { ["name"] = "content" });
            await exec.ReadFrameAsync();
            await exec.SendFrameAsync('P', new JsonObject { ["done"] = 1 });
            await exec.SendFrameAsync('E', new JsonObject { ["cause"] = "DiskFull" });
            await exec.SendTrailerAsync(1);
            while ((await exec.ReadFrameAsync()).Kind != 'A')
            {
            }
        };

        // It has no end of its own.
        AgentOutcome outcome = await RunAsync(
            new() { Op = "put", Provide = (_, _) => Task.FromResult<Stream?>(new EndlessStream()) });

        Assert.Equal(1, outcome.ExitCode);
        Assert.Equal(['H', 'P', 'E'], _frames.Select(f => f.Kind));
    }

    [Fact]
    public async Task A_need_that_cannot_be_met_cancels()
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            await exec.SendFrameAsync('N', new JsonObject { ["name"] = "py-spy" });
            await exec.FinishAsync((await exec.ReadFrameAsync()).Kind == 'C' ? 130 : 0);
        };

        Assert.Equal(130, (await RunAsync(new() { Op = "pyspy" })).ExitCode);
    }

    private ValueTask TakeAsync(AgentFrame frame, CancellationToken ct)
    {
        _frames.Add(frame);
        return ValueTask.CompletedTask;
    }

    private Task<AgentOutcome> RunAsync(AgentRequest request) => _cluster.Gateway.RunAgentAsync(
        _cluster.Pod, "pydebug-abcde", "/usr/bin/python3", request, TakeAsync, TestContext.Current.CancellationToken);

    private Task<EngineException> FailsAsync(AgentRequest? request = null)
        => Assert.ThrowsAsync<EngineException>(() => RunAsync(request ?? new() { Op = "ping" }));
}
