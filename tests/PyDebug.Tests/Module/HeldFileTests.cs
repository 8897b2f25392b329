using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Internal;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>Files that only one agent has, such as captures, whose connection is cut.</summary>
public sealed class HeldFileTests
{
    private readonly byte[] _content = new byte[400_000];

    private readonly List<JsonObject> _asked = [];

    private readonly MemoryStream _came = new();

    private readonly List<string> _results = [];

    private int _cuts = 4;

    public HeldFileTests() => Random.Shared.NextBytes(_content);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public async Task One_goes_on_where_it_was_cut(int cuts)
    {
        _cuts = cuts;

        await AskAsync(last: true);

        Assert.Equal(_content, _came.ToArray());
        Assert.Equal(["tool", "fileEnd"], _results);
        Assert.Equal(cuts + 1, _asked.Count);
        Assert.All(_asked.Skip(1), a => Assert.Equal("held", a["op"]!.ToString()));
        Assert.All(_asked.Skip(1), a => Assert.Equal("the word", a["word"]!.ToString()));
        Assert.All(_asked.Skip(1), a => Assert.Equal(
            FakeFileAgent.Sha256(_content.AsSpan(0, a["offset"]!.GetValue<int>())), a["sha256"]!.ToString()));
    }

    [Fact]
    public async Task What_would_have_come_behind_it_is_not_there()
    {
        EngineException e = await Assert.ThrowsAsync<EngineException>(() => AskAsync(last: false));

        Assert.Equal(Causes.OutcomeUnknown, e.Cause);
        Assert.Equal(_content, _came.ToArray());
        Assert.Equal(["tool", "fileEnd"], _results);
    }

    [Fact]
    public async Task One_that_goes_on_elsewhere_is_refused()
        => await Assert.ThrowsAsync<PyDebugException>(() => AskAsync(last: true, elsewhere: 1));

    private async Task AskAsync(bool last, int elsewhere = 0)
    {
        using Transfer transfer = new(exec => AnswerAsync(exec, last, elsewhere));
        await transfer.Run().AskAsync(
            "pyspy",
            [],
            (item, _) =>
            {
                _results.Add(item.Text("kind")!);
                return ValueTask.FromResult(true);
            },
            CancellationToken.None,
            onFile: (chunk, _) =>
            {
                _came.Write(chunk.Span);
                return ValueTask.CompletedTask;
            });
    }

    private async Task AnswerAsync(FakeExec exec, bool last, int elsewhere)
    {
        JsonObject question = await exec.BootAsync();
        _asked.Add(question);
        await exec.HelloAsync();
        int offset = question["offset"]?.GetValue<int>() ?? 0;
        if (_asked.Count == 1)
        {
            await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "tool", ["pid"] = 7 });
        }

        await exec.SendFrameAsync('R', new JsonObject
        {
            ["kind"] = "held", ["name"] = "pydebug-1", ["word"] = "the word", ["size"] = _content.Length,
            ["offset"] = offset + (offset > 0 ? elsewhere : 0), ["last"] = last,
            ["about"] = new JsonObject { ["pid"] = 7 },
        });
        if (_asked.Count <= _cuts)
        {
            await exec.SendFrameAsync('G', _content[offset..(offset + 60_000)]);
            exec.Connection.Reset();
            return;
        }

        for (int at = offset; at < _content.Length; at += 50_000)
        {
            await exec.SendFrameAsync('G', _content[at..Math.Min(at + 50_000, _content.Length)]);
        }

        await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "fileEnd", ["pid"] = 7 });
        await exec.FinishAsync();
    }
}
