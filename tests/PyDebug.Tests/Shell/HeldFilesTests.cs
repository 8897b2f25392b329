using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;
using PyDebug.Tests.Engine;
using PyDebug.Tests.Profiles;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>Files that only one agent has, such as captures, whose connection is cut.</summary>
public sealed class HeldFilesTests
{
    private readonly List<byte[]> _came = [];

    private readonly MemoryStream _coming = new();

    private readonly List<string> _results = [];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public async Task One_goes_on_where_it_was_cut(int cuts)
    {
        KeptAgent agent = new KeptAgent([.. Enumerable.Range(1, cuts).Select(n => (0, n * 60_000))]).Add(7, 400_000);

        await AskAsync(agent);

        Came(agent);
        Assert.Equal(cuts + 1, agent.Asked.Count);
        Assert.All(agent.Asked.Skip(1), a => Assert.Equal("held", a["op"]!.ToString()));
        Assert.All(agent.Asked.Skip(1), a => Assert.Equal("the word", a["word"]!.ToString()));
        byte[] content = agent.Files[0].Content;
        Assert.All(agent.Asked.Skip(1), a => Assert.Equal(
            FakeFileAgent.Sha256(content.AsSpan(0, a["offset"]!.GetValue<int>())), a["sha256"]!.ToString()));
    }

    [Fact]
    public async Task Each_of_several_goes_on_wherever_it_was_cut()
    {
        KeptAgent agent = new KeptAgent(
            (0, -1), (0, 0), (0, 100_000), (0, 200_000), (0, 200_001), (1, 0), (1, 1), (2, -1), (2, 30_000),
            (2, 150_000), (2, 150_001))
            .Add(7, 200_000).Add(8, 0).Add(9, 150_000);

        await AskAsync(agent);

        Came(agent);
        // Behind the last one there is nothing to ask for, where all of it was on the way before the cut.
        Assert.InRange(agent.Asked.Count, 11, 12);
    }

    [Fact]
    public async Task What_would_have_come_behind_them_is_not_there()
    {
        KeptAgent agent = new KeptAgent((0, 60_000)) { IsLast = false }.Add(7, 90_000).Add(8, 10);

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => AskAsync(agent));

        Assert.Equal(Causes.OutcomeUnknown, e.Cause);
        Came(agent);
    }

    [Fact]
    public async Task Those_that_are_here_do_not_make_up_for_what_was_to_come()
    {
        KeptAgent agent = new KeptAgent((0, 11)) { IsLast = false }.Add(7, 10);

        await Assert.ThrowsAsync<EngineException>(() => AskAsync(agent));

        Assert.Single(agent.Asked);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(60_000)]
    [InlineData(90_001)]
    public async Task What_comes_behind_them_is_asked_for_anew_where_it_is_said_what_that_is(int cut)
    {
        KeptAgent later = new KeptAgent((0, -1), (0, 10), (1, 5)).Add(8, 70_000).Add(9, 10);
        KeptAgent agent = new KeptAgent((0, cut)) { IsLast = false, Later = later }.Add(7, 90_000);

        await AskAsync(agent);

        Came(agent, later);
        Assert.Equal("[8,9]", agent.Asked.First(a => a["rest"] is not null)["rest"]!.ToJsonString());
        Assert.All(agent.Asked, a => Assert.Equal(a["word"] is null ? "pyspy" : "held", a["op"]!.ToString()));
    }

    [Fact]
    public async Task What_failed_is_not_asked_for_again()
    {
        KeptAgent later = new KeptAgent().Add(8, 70_000).Add(9, 10);
        KeptAgent agent = new KeptAgent((0, 90_001)) { IsLast = false, Later = later }.Add(7, 90_000);
        JsonObject gone = new() { ["cause"] = "ProcessGone", ["message"] = "Process 8 is gone.", ["pid"] = 8 };
        agent.First.Add(('E', gone));

        await AskAsync(agent, []);

        Assert.Equal("[9]", agent.Asked[^1]["rest"]!.ToJsonString());
    }

    [Fact]
    public async Task One_that_goes_on_elsewhere_is_refused()
        => await Assert.ThrowsAsync<PyDebugException>(
            () => AskAsync(new KeptAgent((0, 60_000)) { Elsewhere = 1 }.Add(7, 90_000)));

    [Fact]
    public async Task An_agent_that_ends_without_the_rest_has_not_answered()
    {
        KeptAgent agent = new KeptAgent((0, 60_000)) { GoOn = async exec => await End(exec) }.Add(7, 90_000);

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => AskAsync(agent));

        Assert.Equal(Causes.OutcomeUnknown, e.Cause);

        static async Task<bool> End(FakeExec exec)
        {
            await exec.FinishAsync();
            return true;
        }
    }

    [Fact]
    public async Task What_is_not_kept_any_more_is_said_once()
    {
        KeptAgent agent = new KeptAgent((0, 60_000)) { GoOn = async exec => await Refuse(exec) }.Add(7, 90_000);
        List<string> causes = [];

        await AskAsync(agent, causes);

        Assert.Equal([AgentCause.FileNotFound], causes);
        Assert.Empty(_came);

        static async Task<bool> Refuse(FakeExec exec)
        {
            await exec.SendFrameAsync('E', new JsonObject { ["cause"] = "FileNotFound", ["message"] = "Gone." });
            await exec.FinishAsync(1);
            return true;
        }
    }

    [Fact]
    public async Task The_failure_of_one_process_keeps_no_other_from_going_on()
    {
        KeptAgent agent = new KeptAgent((0, 60_000), (0, 60_000), (1, 5)).Add(7, 90_000).Add(8, 10);
        JsonObject gone = new() { ["cause"] = "ProcessGone", ["message"] = "Process 6 is gone.", ["pid"] = 6 };
        agent.First.Add(('E', gone));
        List<string> causes = [];

        await AskAsync(agent, causes);

        Came(agent);
        Assert.Equal([AgentCause.ProcessGone], causes);
    }

    [Fact]
    public async Task Captures_of_several_processes_arrive_whole_though_each_is_cut()
    {
        int[] pids = [7, 8, 9];
        KeptAgent agent = new((0, 100_000), (1, -1), (1, 10), (2, 0), (2, 250_000), (2, 300_000), (2, 300_001));
        CancellationToken ct = TestContext.Current.CancellationToken;
        string report = await File.ReadAllTextAsync(Fixture.PathOf("cases/memray.json"), ct);
        foreach (int pid in pids)
        {
            JsonObject told = JsonNode.Parse(report)!.AsObject();
            told["pid"] = pid;
            agent.First.Add(('R', told));
            agent.Add(pid, 300_000, kind: "file");
        }

        using Transfer transfer = new(agent.AnswerAsync);
        AgentRun run = transfer.Run();
        MemrayFiles files = new(ReportPath.Check("Path", transfer.Folder, ".bin", replace: false));
        using (MemrayAnswer answer = new(run, files, new MemrayHistory(), 1 << 20))
        {
            await run.AskAsync("memray", [], answer.OnResultAsync, CancellationToken.None, answer.OnFileAsync);
        }

        Assert.False(run.HasFailed);
        Assert.InRange(agent.Asked.Count, 7, 8);
        Assert.Equal(pids.Length, transfer.Names.Length);
        foreach ((JsonObject told, byte[] content) in agent.Files)
        {
            string place = $"-app-{told["pid"]}-";
            string name = Assert.Single(transfer.Names, n => n.Contains(place, StringComparison.Ordinal));
            Assert.Equal(content, await File.ReadAllBytesAsync(transfer.At(name), ct));
        }
    }

    private void Came(params KeptAgent[] agents)
    {
        Assert.Equal(agents.SelectMany(a => a.Files).Select(f => f.Content), _came);
        Assert.Equal(agents.SelectMany(a => a.Files).SelectMany(_ => new[] { "tool", "fileEnd" }), _results);
    }

    private async Task AskAsync(KeptAgent agent, List<string>? causes = null)
    {
        using Transfer transfer = new(agent.AnswerAsync);
        await transfer.Run().AskAsync(
            "pyspy",
            [],
            (item, _) =>
            {
                _results.Add(item.Text("kind")!);
                if (_results[^1] == "fileEnd")
                {
                    _came.Add(_coming.ToArray());
                    _coming.SetLength(0);
                    Assert.Equal(FakeFileAgent.Sha256(_came[^1]), item.Text("sha256"));
                }

                return ValueTask.FromResult(true);
            },
            CancellationToken.None,
            onFile: (chunk, _) =>
            {
                _coming.Write(chunk.Span);
                return ValueTask.CompletedTask;
            },
            onFailure: (cause, _) =>
            {
                causes?.Add(cause);
                return causes is not null;
            });
    }
}
