using System;
using System.Collections.Generic;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>What an agent says that it kept in its container, and what the next one is told of it.</summary>
public sealed class KeptCodeTests : IDisposable
{
    private static readonly string s_hash = new('a', 64);

    private readonly FakeCluster _cluster = new();
    private readonly List<FakeExec> _execs = [];

    public KeptCodeTests() => _cluster.Add(new JsonObject { ["name"] = "pydebug-abcde" }, FakeCluster.Running());

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public async Task What_is_kept_is_named_to_the_next_agent_and_not_sent_again()
    {
        Answer(Told());
        await RunAsync();
        await RunAsync();

        Assert.DoesNotContain("code ", _execs[0].Header);
        Assert.EndsWith($"code 99 {s_hash} a70d0d0a /tmp/.pydebug-0/code-1\n", _execs[1].Header);
        Assert.Contains("pydebug_agent.main", _execs[0].Modules);
        Assert.DoesNotContain("pydebug_agent.main", _execs[1].Modules);
        Assert.Contains("pydebug_agent.entry", _execs[1].Modules);
    }

    [Fact]
    public async Task Another_pod_or_question_is_told_of_what_is_its_own()
    {
        JsonObject told = Told();
        told["modules"] = new JsonArray("pydebug_agent.target.run");
        Answer(told);
        await RunAsync();
        await RunAsync("stack");
        await RunAsync(uid: "uid-2");

        Assert.DoesNotContain("code ", _execs[1].Header);
        Assert.DoesNotContain("code ", _execs[2].Header);
    }

    [Fact]
    public async Task What_is_not_there_any_more_is_sent_in_a_second_exec()
    {
        Answer(Told());
        await RunAsync();
        _cluster.Exec = async exec =>
        {
            _execs.Add(exec);
            await exec.BootAsync();
            if (exec.Header.Contains("code ", StringComparison.Ordinal))
            {
                await exec.SendFrameAsync('M', new JsonObject { ["missing"] = true });
                return;
            }

            await exec.HelloAsync();
            await exec.FinishAsync(7);
        };

        Assert.Equal(7, (await RunAsync()).ExitCode);
        Assert.Equal(3, _execs.Count);
        Assert.Equal(_execs[0].Modules, _execs[2].Modules);
        Assert.Equal(7, (await RunAsync()).ExitCode);
        Assert.Equal(4, _execs.Count);
    }

    [Fact]
    public async Task An_agent_that_was_sent_all_lacks_nothing()
    {
        _cluster.Exec = async exec =>
        {
            _execs.Add(exec);
            await exec.BootAsync();
            await exec.SendFrameAsync('M', new JsonObject { ["missing"] = true });
        };

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => RunAsync());
        Assert.Equal(Causes.ProtocolError, e.Cause);
        Assert.Single(_execs);
    }

    [Theory]
    [InlineData("path", "tmp/code")]
    [InlineData("path", "/tmp/a\ncode 1 2 3 /etc/x")]
    [InlineData("path", "/tmp/a b")]
    [InlineData("path", "")]
    [InlineData("sha256", "aa")]
    [InlineData("sha256", null)]
    [InlineData("magic", "zz")]
    [InlineData("size", "0")]
    [InlineData("size", "99999999999")]
    [InlineData("modules", "os")]
    [InlineData("modules", null)]
    public async Task What_no_agent_of_ours_says_is_passed_over(string field, string? value)
    {
        JsonObject told = Told();
        told[field] = field switch
        {
            "size" => JsonNode.Parse(value!),
            "modules" => value is null ? new JsonArray() : new JsonArray("pydebug_agent.main", value),
            _ => value,
        };
        Answer(told);
        await RunAsync();
        await RunAsync();

        Assert.DoesNotContain("code ", _execs[1].Header);
        Assert.Equal(_execs[0].Modules, _execs[1].Modules);
    }

    [Fact]
    public async Task Where_all_is_kept_none_is_sent()
    {
        JsonObject told = Told();
        told["modules"] = new JsonArray(
        [
            "pydebug_agent", "pydebug_agent.entry", "pydebug_agent.errors", "pydebug_agent.typing",
            "pydebug_agent.target",
            "pydebug_agent.target.run", "pydebug_agent.main", "pydebug_agent.protocol",
            "pydebug_agent.protocol.channel",
        ]);
        Answer(told);
        await RunAsync();
        await RunAsync();

        Assert.NotEmpty(_execs[0].Modules);
        Assert.Empty(_execs[1].Modules);
    }

    private static JsonObject Told() => new()
    {
        ["path"] = "/tmp/.pydebug-0/code-1", ["size"] = 99, ["sha256"] = s_hash, ["magic"] = "a70d0d0a",
        ["modules"] = new JsonArray("pydebug_agent.main", "pydebug_agent.target.run"),
    };

    private void Answer(JsonObject told) => _cluster.Exec = async exec =>
    {
        _execs.Add(exec);
        await exec.BootAsync();
        await exec.HelloAsync();
        await exec.SendFrameAsync('M', told);
        await exec.FinishAsync();
    };

    private Task<AgentOutcome> RunAsync(string op = "processes", string uid = "uid-1")
    {
        PodReference pod = new() { Namespace = _cluster.Pod.Namespace, Name = _cluster.Pod.Name, Uid = uid };
        return _cluster.Gateway.RunAgentAsync(
            pod, "pydebug-abcde", "/usr/bin/python3", new() { Op = op }, (_, _) => ValueTask.CompletedTask,
            TestContext.Current.CancellationToken);
    }
}
