using System.Linq;
using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class ShortNamesTests
{
    [Fact]
    public void The_end_of_a_name_tells_threads_apart()
    {
        string[] names = [.. Enumerable.Range(0, 12).Select(i => $"ThreadPoolExecutor-0_{i}")];
        Assert.Equal(12, ShortNames.Of(names, 16).Distinct().Count());
        Assert.All(ShortNames.Of(names, 16), n => Assert.True(n.Length <= 16, n));
        Assert.Equal("ThreadPo…tor-0_3", ShortNames.Of(names, 16)[3]);
        Assert.Equal(["short", "Thread-1 (serve)"], ShortNames.Of(["short", "Thread-1 (serve)"], 16));
    }

    [Fact]
    public void So_does_whatever_differs_in_the_middle()
    {
        string[] names = ["connection to db-primary-1 of the shop", "connection to db-primary-2 of the shop"];
        Assert.Equal(["…y-1 of the shop", "…y-2 of the shop"], ShortNames.Of(names, 16));
    }

    [Fact]
    public void Equal_names_stay_equal_and_wide_letters_take_two_cells()
    {
        Assert.Single(ShortNames.Of(["a name that is too long", "a name that is too long"], 10).Distinct());
        Assert.Equal("処理…07", ShortNames.Middle("処理スレッド-07", 7));
    }
}
