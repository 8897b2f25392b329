using System;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>
/// Minutes on the way between a client and its agent, by a clock that the test moves: with the product's own times, and
/// without waiting.
/// </summary>
public sealed class AgentClockTests : IDisposable
{
    /// <summary>Both sides speak as often.</summary>
    private static readonly TimeSpan s_step = TimeSpan.FromSeconds(3);

    private readonly HandClock _clock = new();

    private readonly FakeCluster _cluster = new();

    private readonly KubeGateway _gateway;

    private readonly TaskCompletionSource _underWay = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private int _files;

    private int _told;

    public AgentClockTests()
    {
        _gateway = _cluster.Connect(TeamPolicy.None, new AgentTiming { Clock = _clock });
        _cluster.Add(new JsonObject { ["name"] = "pydebug-abcde" }, FakeCluster.Running());
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _gateway.Dispose();
        _cluster.Dispose();
    }

    [Fact]
    public async Task In_ten_minutes_with_nothing_to_say_no_connection_is_quiet_for_longer_than_three_seconds()
    {
        _cluster.Exec = async exec =>
        {
            await BeginAsync(exec);
            for (int half = 0; half < 20; half++)
            {
                for (TimeSpan passed = TimeSpan.Zero; passed < TimeSpan.FromSeconds(30); passed += s_step)
                {
                    await StepAsync(exec);
                }

                // What was sent is there before the clock goes on: a busy machine is no silent one.
                int told = Volatile.Read(ref _told);
                await exec.SendFrameAsync('P', Array.Empty<byte>());
                await FakeServer.UntilAsync(() => Volatile.Read(ref _told) > told);
            }

            await exec.FinishAsync();
        };

        Assert.Equal(0, (await AskAsync()).ExitCode);
    }

    [Fact]
    public async Task A_consumer_that_stalls_for_a_minute_loses_nothing()
    {
        const int Chunks = 40;
        TaskCompletionSource passed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _cluster.Exec = async exec =>
        {
            await BeginAsync(exec);
            for (int i = 0; i < Chunks; i++)
            {
                await exec.SendFrameAsync('G', new byte[1 << 20]);
                // In the middle of a file that nobody takes the clock goes on as well.
                if (i % 2 == 0)
                {
                    await StepAsync(exec);
                }
            }

            passed.SetResult();
            await exec.FinishAsync();
        };

        AgentOutcome outcome = await AskAsync(() => passed.Task.WaitAsync(Stop));

        Assert.Equal((0, Chunks), (outcome.ExitCode, _files));
    }

    [Fact]
    public async Task A_client_that_was_asleep_for_a_minute_takes_what_its_agent_says_then()
    {
        _cluster.Exec = async exec =>
        {
            await BeginAsync(exec);
            await SleepAsync(exec);
            Assert.Equal('K', (await exec.ReadAnyAsync()).Kind);
            // What it finds is no answer yet, and it listens for as long as ever.
            for (int i = 0; i < 14; i++)
            {
                _clock.Advance(s_step);
                Assert.Equal('K', (await exec.ReadAnyAsync()).Kind);
            }

            await exec.FinishAsync();
        };

        Assert.Equal(0, (await AskAsync()).ExitCode);
    }

    [Fact]
    public async Task A_client_whose_connection_was_cut_while_it_was_asleep_says_that_it_knows_no_outcome()
    {
        _cluster.Exec = async exec =>
        {
            await BeginAsync(exec);
            exec.Connection.Reset();
            _clock.Advance(TimeSpan.FromMinutes(1));
        };
        AgentRequest request = Request();

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => AskAsync(request: request));

        Assert.Equal((Causes.OutcomeUnknown, RemoteStates.MayBeRunning), (e.Cause, e.RemoteState));
    }

    [Fact]
    public async Task A_client_that_slept_while_all_packets_were_lost_is_told_of_that_after_its_usual_patience()
    {
        TaskCompletionSource gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TimeSpan listened = TimeSpan.Zero;
        _cluster.Exec = async exec =>
        {
            await BeginAsync(exec);
            await SleepAsync(exec);
            for (TimeSpan passed = TimeSpan.Zero; passed <= new AgentTiming().Silence; passed += s_step)
            {
                Assert.Equal('K', (await exec.ReadAnyAsync()).Kind);
                listened = passed;
                _clock.Advance(s_step);
            }

            await gone.Task.WaitAsync(Stop);
        };

        EngineException e = await Assert.ThrowsAsync<EngineException>(async () =>
        {
            try
            {
                await AskAsync();
            }
            finally
            {
                gone.SetResult();
            }
        });

        Assert.Equal((Causes.PeerSilent, RemoteStates.MayBeRunning), (e.Cause, e.RemoteState));
        Assert.Equal(new AgentTiming().Silence, listened);
    }

    private async Task BeginAsync(FakeExec exec)
    {
        await exec.BootAsync();
        await exec.HelloAsync();
        // The hello was taken, so the clock is looked at.
        await _underWay.Task.WaitAsync(Stop);
    }

    /// <summary>Lets the time pass after which either side speaks, and has both speak.</summary>
    private async Task StepAsync(FakeExec exec)
    {
        _clock.Advance(s_step);
        Assert.Equal('K', (await exec.ReadAnyAsync()).Kind);
        await exec.SendFrameAsync('B', Array.Empty<byte>());
    }

    /// <summary>Lets a minute pass at once, after some seconds in which nothing came.</summary>
    private async Task SleepAsync(FakeExec exec)
    {
        for (int i = 0; i < 2; i++)
        {
            _clock.Advance(s_step);
            Assert.Equal('K', (await exec.ReadAnyAsync()).Kind);
        }

        _clock.Advance(TimeSpan.FromMinutes(1));
    }

    private static AgentRequest Request() => new() { Op = "get", Deadline = TimeSpan.FromHours(1) };

    private Task<AgentOutcome> AskAsync(Func<Task>? stall = null, AgentRequest? request = null)
        => _gateway.RunAgentAsync(
            _cluster.Pod,
            "pydebug-abcde",
            "python3",
            request ?? Request(),
            async (frame, _) =>
            {
                _underWay.TrySetResult();
                _files += frame.Kind == 'G' ? 1 : 0;
                _told += frame.Kind == 'P' ? 1 : 0;
                if (frame.Kind == 'G' && stall is not null)
                {
                    await stall();
                }
            },
            Stop);
}
