using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class StackGroupsTests
{
    [Fact]
    public void Threads_that_wait_at_one_place_are_one_group_whatever_their_descriptors()
    {
        IReadOnlyList<PyThreadGroup> groups = ThreadGroups.Of(
            [Thread(1, "idle", "lock", 5), Thread(2, "idle", "recvfrom fd 5 socket:[1]", 9), Thread(
                3, "running", null, 7),
                Thread(4, "idle", "recvfrom fd 6 socket:[2]", 9), Thread(5, "idle", "recvfrom fd 6 socket:[2]", 10)]);
        Assert.Equal([(1, "running"), (2, "idle"), (1, "idle"), (1, "idle")], groups.Select(g => (g.Count, g.State)));
        Assert.Equal([2L, 4L], groups[1].ThreadIds);
        Assert.Equal(["t2", "t4"], groups[1].Names);
        Assert.Equal("recvfrom", groups[1].WaitsFor);
        Assert.Equal("recvfrom fd 6 socket:[2]", groups[3].WaitsFor);
        Assert.Equal(3.0, groups[1].CpuSeconds);
        Assert.Equal("2 threads (idle: recvfrom)\n    work (a.py:9)", groups[1].ToString());
    }

    [Fact]
    public void Tasks_that_stand_at_one_place_are_one_group()
    {
        IReadOnlyList<PyTaskGroup> groups = TaskGroups.Of(
            [Task("a", "waiting", 1), Task("b", "waiting", 2), Task("c", "waiting", 2), Task("d", "running", 2)]);
        Assert.Equal([("running", 1), ("waiting", 2), ("waiting", 1)], groups.Select(g => (g.State, g.Count)));
        Assert.Equal(["b", "c"], groups[1].Names);
        Assert.Equal(["b", "c"], groups[1].Ids);
    }

    [Theory]
    [InlineData(20, false)]
    [InlineData(21, true)]
    public void More_than_twenty_equal_ones_are_worth_a_hint(int count, bool told)
    {
        List<PyThreadStack> threads = [.. Enumerable.Range(0, count).Select(i => Thread(i, "idle", $"read fd {i}", 3))];
        string? hint = ThreadGroups.Hint(threads);
        Assert.Equal(told, hint is not null);
        if (told)
        {
            Assert.Equal("21 threads are equal (at work (a.py:3), waiting for read). -Summary writes "
                + "equal ones as one record.", hint);
        }

        Assert.Null(TaskGroups.Hint([.. Enumerable.Range(0, 50).Select(i => Task($"{i}", "waiting", i))]));
        Assert.Equal(
            told, TaskGroups.Hint([.. Enumerable.Range(0, count).Select(i => Task($"{i}", "waiting", 3))]) is not null);
    }

    [Fact]
    public void The_frames_that_are_left_out_are_counted_where_the_stack_is_shown()
    {
        PyThreadStack deep = Thread(1, "idle", "lock", 5) with { OmittedFrameCount = 25_000 };
        Assert.EndsWith("(25,000 frames further out are left out)", deep.ToString());
        Assert.Equal(
            "work (a.py:5) < 25,000 more", StackDisplay.Where(deep.Frames, deep.OmittedFrameCount, deep.Error));
        PyThreadGroup group = ThreadGroups.Of([deep])[0];
        Assert.Equal(
            "work (a.py:5) < 25,000 more", StackDisplay.Where(group.Frames, group.OmittedFrameCount, group.Error));
    }

    private static PyThreadStack Thread(int id, string state, string? waits, int line)
        => new()
        {
            ThreadId = id,
            Name = $"t{id}",
            State = state,
            WaitsFor = waits,
            CpuSeconds = 1.5,
            Frames = [new StackFrame { Name = "work", FileName = "/srv/a.py", Line = line }],
        };

    private static PyTask Task(string name, string state, int line)
        => new()
        {
            Id = name,
            Name = name,
            State = state,
            Frames = [new StackFrame { Name = "work", FileName = "/srv/a.py", Line = line }],
        };
}
