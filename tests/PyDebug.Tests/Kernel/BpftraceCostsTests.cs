using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using PyDebug.Tools.Bpftrace;
using Xunit;

namespace PyDebug.Tests.Tools;

public sealed class BpftraceCostsTests
{
    [Fact]
    public void Each_attach_point_has_what_its_programs_cost_in_their_order()
    {
        IReadOnlyList<BpftraceCost> costs = Costs([(0.001, 1), (0.5, 100)], "BEGIN", "profile:hz:99");
        Assert.Equal(
            [("BEGIN", 1, 1L, 0.001), ("profile:hz:99", 1, 100L, 0.5)],
            costs.Select(c => (c.Probe!, c.ProgramCount, c.RunCount, c.Seconds)));
        Assert.Equal("profile:hz:99: 100 runs, 500 ms", costs[1].ToString());
    }

    [Fact]
    public void A_wildcard_has_those_of_all_that_it_stands_for()
    {
        IReadOnlyList<BpftraceCost> costs = Costs(
            [(0.1, 1), (0.2, 2), (0.3, 3), (0.4, 4)], "BEGIN", "tracepoint:syscalls:*", "END");
        Assert.Equal([("BEGIN", 1, 1L), ("tracepoint:syscalls:*", 2, 5L), ("END", 1, 4L)], costs.Select(
            c => (c.Probe!, c.ProgramCount, c.RunCount)));
    }

    [Theory]
    [InlineData(4, "t:a:*", "t:b:*")]
    [InlineData(3, "t:a:b", "t:c:d")]
    [InlineData(1, "t:a:b", "t:c:d")]
    public void What_cannot_be_told_apart_is_one_sum(int programs, params string[] points)
    {
        BpftraceCost cost = Assert.Single(Costs([.. Enumerable.Repeat((0.5, 2L), programs)], points));
        Assert.Equal((null, programs, 2L * programs, 0.5 * programs),
            (cost.Probe, cost.ProgramCount, cost.RunCount, cost.Seconds));
    }

    [Fact]
    public void Where_the_kernel_does_not_say_there_is_none()
    {
        Assert.Empty(Costs([], "BEGIN"));
        Assert.Empty(BpftraceCosts.Parse(JsonDocument.Parse("""{"cost": null}""").RootElement, ["BEGIN"]));
    }

    private static IReadOnlyList<BpftraceCost> Costs((double Seconds, long Runs)[] programs, params string[] points)
    {
        string text = JsonSerializer.Serialize(
            new { cost = programs.Select(p => new { seconds = p.Seconds, runs = p.Runs }) });
        return BpftraceCosts.Parse(JsonDocument.Parse(text).RootElement, points);
    }
}
