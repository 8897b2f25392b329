using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class TaskParserTests
{
    private static readonly DateTime s_now = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    [Fact]
    public void Parts_are_one_list_with_who_waits_for_whom()
    {
        TaskParser parser = new(new PodDebugSession { PodName = "p" });
        Assert.Null(Add(parser, """
            {"pid":1,"last":false,"frames":[["main","/a.py",1],["wait","/a.py",9]],"tasks":[
              {"id":"0xa","name":"outer","state":"waiting","future":"0xf1","links":[],"children":["0xb","0xc"],
              "stack":[0]},
              {"id":"0xb","name":"one","state":"waiting","future":"0xf2","links":["0xf1"],"children":[],"stack":[0,1]}]}
            """));
        Assert.Equal(1, parser.Unfinished);
        IReadOnlyList<PyTask> tasks = Add(parser, """
            {"pid":1,"last":true,"total":4,"held":12.5,"warnings":["w"],"notes":["n"],"frames":[["other","/b.py",3]],
            "tasks":[
              {"id":"0xc","name":"two","state":"waiting","future":"0xd","links":["0xf1","0xa"],"children":[],
              "stack":[0]},
              {"id":"0xd","name":"three","state":"waiting","future":"0xe","links":["0xgone"],"children":[],"stack":[]}]}
            """)!;
        Assert.Equal(0, parser.Unfinished);
        Assert.Equal((4, "w", "n"), (parser.Total, Assert.Single(parser.Warnings), Assert.Single(parser.Notes)));
        Assert.Equal(["outer", "├ one", "└ two", "  └ three"], tasks.Select(t => t.Place!.Prefix + t.Name));
        Assert.Equal(12.5, tasks[0].Place!.HeldMicroseconds);
        Assert.Equal(["0xb", "0xc"], tasks[0].WaitsFor);
        Assert.Equal(["0xa"], tasks[1].Waiters);
        Assert.Equal(["wait", "main"], tasks[1].Frames.Select(f => f.Name));
        Assert.Equal("other", Assert.Single(tasks[2].Frames).Name);
    }

    [Theory]
    [InlineData("""{"frames":[],"tasks":[]}""")]
    [InlineData("""{"pid":1,"frames":[["a","b"]],"tasks":[]}""")]
    [InlineData("""{"pid":1,"frames":[],"tasks":[{"id":"0xa","stack":[0]}]}""")]
    public void What_is_no_part_is_refused(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        Assert.False(new TaskParser(new PodDebugSession()).Add(document.RootElement, s_now, out _));
    }

    [Fact]
    public void What_runs_comes_first_with_those_that_wait_for_it()
    {
        IReadOnlyList<PyTask> tree = TaskTree.Arrange(
            [Task("a", "waiting"), Task("b", "ready"), Task("c", "waiting", "d", "e"), Task("d", "waiting"), Task(
                "e", "running")],
            null);
        Assert.Equal(["c", "├ e", "└ d", "b", "a"], tree.Select(t => t.Place!.Prefix + t.Name));
    }

    [Fact]
    public void A_hundred_thousand_tasks_that_one_waits_for_are_arranged_in_time()
    {
        List<PyTask> tasks =
            [.. Enumerable.Range(0, 100_000).Select(i => new PyTask { Id = $"{i}", State = "waiting" })];
        List<TaskLinks> links = [.. tasks.Select(_ => new TaskLinks("same", [], []))];
        links[0] = new TaskLinks("gather", [], [.. tasks.Skip(1).Select(t => t.Id)]);
        IReadOnlyList<PyTask> tree = TaskTree.Arrange(TaskLinks.Connect(tasks, links), null);
        Assert.Equal(100_000, tree.Count);
        Assert.Equal(99_999, tree[0].WaitsFor.Count);
    }

    private static IReadOnlyList<PyTask>? Add(TaskParser parser, string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        Assert.True(parser.Add(document.RootElement, s_now, out IReadOnlyList<PyTask>? tasks));
        return tasks;
    }

    private static PyTask Task(string name, string state, params string[] waitsFor)
        => new() { Id = name, Name = name, State = state, WaitsFor = waitsFor };
}
