using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>Adding a debug container where the server goes away meanwhile.</summary>
public sealed class StartOutageTests : IDisposable
{
    private readonly FakeCluster _cluster = new();

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public async Task A_server_that_restarts_meanwhile_gets_the_container_once_and_is_waited_for()
    {
        // Each kind of request meets it: cut first, then busy.
        ConcurrentDictionary<string, int> asked = new();
        _cluster.Before = async (request, connection) =>
        {
            string kind = request.IsExec ? "exec" : $"{request.Method} {request.Target}";
            int times = asked.AddOrUpdate(kind, 1, (_, n) => n + 1);
            if (times == 1)
            {
                connection.Reset();
            }
            else if (times == 2)
            {
                await connection.RespondAsync(503, "upstream connect error");
            }

            return times <= 2;
        };

        DebugContainerInfo made = await StartAsync(_cluster.Request(force: true));

        Assert.False(made.Reused);
        Assert.Single(_cluster.Ephemeral);
        Assert.True(asked["exec"] == 3 && asked.Keys.Any(k => k.StartsWith("PATCH")));
        Assert.NotEmpty(_cluster.Told);
    }

    [Fact]
    public async Task A_patch_that_was_cut_is_looked_for_and_not_made_twice()
    {
        int patches = 0;
        _cluster.Before = async (request, connection) =>
        {
            if (request.Method != "PATCH" || request.Target.Contains("dryRun") || ++patches > 1)
            {
                return false;
            }

            // It is taken, and the answer lost.
            JsonObject container = request.Json["spec"]!["ephemeralContainers"]![0]!.AsObject();
            _cluster.Add(container, FakeCluster.Running());
            await Task.Yield();
            connection.Reset();
            return true;
        };

        DebugContainerInfo made = await StartAsync(_cluster.Request());

        Assert.Equal(made.Name, Assert.Single(_cluster.Ephemeral)!["name"]!.ToString());
        Assert.Equal(1, patches);
    }

    [Fact]
    public async Task A_server_that_goes_away_while_the_container_starts_is_told_with_what_may_be_left()
    {
        bool gone = false;
        _cluster.State = _ =>
        {
            gone = true;
            return FakeCluster.Waiting("ContainerCreating");
        };
        _cluster.Before = (request, connection) =>
        {
            if (gone && request.Method != "PATCH")
            {
                connection.Reset();
                return Task.FromResult(true);
            }

            return Task.FromResult(false);
        };

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => StartAsync(_cluster.Request(timeout: 20)));

        Assert.Equal(
            (Causes.StartTimeout, Phases.Start, RemoteStates.MayBeRunning), (e.Cause, e.Phase, e.RemoteState));
        Assert.Contains("was not seen to start in time: Server https://127.0.0.1:", e.Message);
        Assert.Contains(_cluster.Warned, w => w.Contains("it is tried again, for"));
    }

    private Task<DebugContainerInfo> StartAsync(DebugContainerRequest request)
        => _cluster.Gateway.StartDebugContainerAsync(request, TestContext.Current.CancellationToken);

    private Task<EngineException> FailsAsync(DebugContainerRequest request)
        => Assert.ThrowsAsync<EngineException>(() => StartAsync(request));
}
