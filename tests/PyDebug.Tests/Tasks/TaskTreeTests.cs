using System.Collections.Generic;
using System.Linq;
using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class TaskTreeTests
{
    [Fact]
    public void Tasks_stand_under_the_task_that_waits_for_them()
    {
        IReadOnlyList<PyTask> tree = TaskTree.Arrange(
            [Task("page-1"), Task("report", "page-1", "page-2"), Task("page-2", "db"), Task("db"), Task("other")],
            null);
        Assert.Equal(
            ["report", "├ page-1", "└ page-2", "  └ db", "other"],
            tree.Select(t => t.Place!.Prefix + t.Name));
    }

    [Fact]
    public void A_task_that_two_wait_for_is_there_once()
    {
        IReadOnlyList<PyTask> tree = TaskTree.Arrange([Task("a", "x"), Task("b", "x"), Task("x")], null);
        Assert.Equal(["a", "x", "b"], tree.Select(t => t.Name));
    }

    [Fact]
    public void A_cycle_ends_and_loses_nobody()
    {
        IReadOnlyList<PyTask> tree = TaskTree.Arrange([Task("a", "b"), Task("b", "c"), Task("c", "a")], null);
        Assert.Equal(["a", "b", "c"], tree.Select(t => t.Name).Order());
    }

    [Fact]
    public void A_long_chain_does_not_overflow()
    {
        PyTask[] chain = [.. Enumerable.Range(0, 20_000).Select(i => Task($"t{i}", $"t{i + 1}"))];
        IReadOnlyList<PyTask> tree = TaskTree.Arrange(chain, null);
        Assert.Equal(20_000, tree.Count);
        Assert.True(tree[^1].Place!.Prefix.Length < 40);
    }

    private static PyTask Task(string name, params string[] waitsFor)
        => new() { Id = name, Name = name, WaitsFor = waitsFor };
}
