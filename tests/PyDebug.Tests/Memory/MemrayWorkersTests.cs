using System;
using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class MemrayWorkersTests
{
    private static readonly DateTime s_then = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    private static readonly PyProcess s_parent = Seen(1, "Master", 0, 20);

    [Fact]
    public void Workers_that_grow_beside_a_tracked_parent_are_named_the_fastest_first()
        => Assert.Equal(
            "Process 1 has workers that grow, and this is not their report: 7 (+8.0 MiB/s), 6 (+1.0 MiB/s). "
                + "Get-PyProcess | Where-Object Role -eq Worker | Get-MemrayReport tracks them.",
            MemrayWorkers.Growing(
                [s_parent],
                [s_parent, Seen(6, "Worker", 0, 20), Seen(7, "Worker", 0, 20), Seen(8, "Worker", 0, 20)],
                [s_parent, Seen(6, "Worker", 10, 30), Seen(7, "Worker", 10, 100), Seen(8, "Worker", 10, 20.5)]));

    [Fact]
    public void Nothing_is_said_where_nothing_grows_or_those_that_do_are_tracked()
    {
        PyProcess before = Seen(6, "Worker", 0, 20);
        PyProcess after = Seen(6, "Worker", 10, 100);
        Assert.Null(MemrayWorkers.Growing([s_parent], [before], [before]));
        Assert.Null(MemrayWorkers.Growing([s_parent, after], [before], [after]));
        Assert.Null(MemrayWorkers.Growing([Seen(1, "Single", 0, 20)], [before], [after]));
        // Another process under the number of one that ended.
        Assert.Null(MemrayWorkers.Growing([s_parent], [before], [after with { StartTime = s_then.AddSeconds(5) }]));
        Assert.Null(MemrayWorkers.Growing([s_parent], [], [after]));
    }

    private static PyProcess Seen(int id, string role, double seconds, double mebibytes) => new()
    {
        ProcessId = id, Role = role, Timestamp = s_then.AddSeconds(seconds), StartTime = s_then.AddHours(-1),
        ResidentBytes = (long)(mebibytes * (1 << 20)),
    };
}
