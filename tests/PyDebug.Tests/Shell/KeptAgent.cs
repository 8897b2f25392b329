using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Tests.Engine;

namespace PyDebug.Tests.Module;

/// <summary>An agent that keeps the files it sends, and whose connection is cut where a test says.</summary>
internal sealed class KeptAgent
{
    private const int Chunk = 50_000;

    private readonly Queue<(int At, int Offset)> _cuts;

    private bool _isAsked;

    private bool _isPast;

    /// <param name="cuts">
    /// In which file, and behind which of its bytes: -1 before it is told of, and one more than it has bytes behind its
    /// end.
    /// </param>
    public KeptAgent(params (int At, int Offset)[] cuts) => _cuts = new(cuts);

    /// <summary>The files, and what is told of each.</summary>
    public List<(JsonObject Told, byte[] Content)> Files { get; } = [];

    /// <summary>What the first exec sends before them.</summary>
    public List<(char Kind, JsonObject Content)> First { get; } = [];

    public List<JsonObject> Asked { get; } = [];

    public bool IsLast { get; init; } = true;

    /// <summary>What comes behind these, also where it is asked for by its processes.</summary>
    public KeptAgent? Later { get; init; }

    /// <summary>How many bytes further on it goes on than it should.</summary>
    public int Elsewhere { get; init; }

    /// <summary>Answers a request to go on otherwise; false says that it did not.</summary>
    public Func<FakeExec, Task<bool>> GoOn { get; init; } = _ => Task.FromResult(false);

    public KeptAgent Add(int processId, int length, string kind = "tool")
    {
        byte[] content = new byte[length];
        Random.Shared.NextBytes(content);
        Files.Add((new JsonObject { ["kind"] = kind, ["pid"] = processId, ["size"] = length }, content));
        return this;
    }

    public async Task AnswerAsync(FakeExec exec)
    {
        JsonObject question = await exec.BootAsync();
        Asked.Add(question);
        await exec.HelloAsync();
        _isPast |= question["rest"] is not null;
        await (_isPast ? Later! : this).AnswerAsync(exec, question);
    }

    private async Task AnswerAsync(FakeExec exec, JsonObject question)
    {
        bool isFirst = !_isAsked;
        _isAsked = true;
        int at = question["at"]?.GetValue<int>() ?? 0;
        int offset = question["offset"]?.GetValue<int>() ?? 0;
        bool told = question["told"]?.GetValue<bool>() ?? false;
        if (!isFirst && await GoOn(exec))
        {
            return;
        }

        foreach ((char kind, JsonObject content) in isFirst ? First : [])
        {
            await exec.SendFrameAsync(kind, content);
        }

        await exec.SendFrameAsync('R', new JsonObject
        {
            ["kind"] = "held", ["name"] = "pydebug-1", ["word"] = "the word",
            ["files"] = Files.Count, ["last"] = IsLast, ["at"] = at, ["offset"] = offset + (offset > 0 ? Elsewhere : 0),
            ["rest"] = new JsonArray([.. (Later?.Files ?? []).Select(f => f.Told["pid"]!.DeepClone())]),
        });
        for (int place = at; place < Files.Count; place++, told = false, offset = 0)
        {
            if (!await SendAsync(exec, place, told, offset))
            {
                return;
            }
        }

        await exec.FinishAsync(First.Any(f => f.Kind == 'E') && isFirst ? 1 : 0);
    }

    private async Task<bool> SendAsync(FakeExec exec, int place, bool told, int offset)
    {
        (JsonObject about, byte[] content) = Files[place];
        int cut = _cuts.TryPeek(out (int At, int Offset) next) && next.At == place ? next.Offset : int.MaxValue;
        if (cut < 0)
        {
            return Cut(exec);
        }

        if (!told)
        {
            await exec.SendFrameAsync('R', about);
        }

        int until = Math.Min(cut, content.Length);
        for (; offset < until; offset += Chunk)
        {
            await exec.SendFrameAsync('G', content[offset..Math.Min(offset + Chunk, until)]);
        }

        if (cut <= content.Length)
        {
            return Cut(exec);
        }

        await exec.SendFrameAsync('R', new JsonObject
        {
            ["kind"] = "fileEnd", ["pid"] = about["pid"]!.DeepClone(), ["size"] = content.Length,
            ["sha256"] = FakeFileAgent.Sha256(content),
        });
        return cut == int.MaxValue || Cut(exec);
    }

    private bool Cut(FakeExec exec)
    {
        _cuts.Dequeue();
        exec.Connection.Reset();
        return false;
    }
}
