using System;
using System.Linq;
using System.Management.Automation;
using System.Text.Json;
using PyDebug.Heap;
using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class HeapParserTests
{
    private const string Least =
        """
        {"kind":"heap","pid":1,"seconds":0.4,"looks":1,"rss":[[0,1000000]],"unknown":10000,"coverage":0.998,
        "parts":[{"name":"Object","bytes":600000,"bytesEnd":600000},{"name":"Table","bytes":390000,"bytesEnd":390000},
        {"name":"OtherAnonymous","bytes":10000,"bytesEnd":10000}],"typeCount":2,
        "types":[{"name":"Order","module":"shop","count":5000,"objectBytes":400000,"tableBytes":0},
        {"name":"dict","module":"builtins","count":10,"objectBytes":640,"tableBytes":390000}]}
        """;

    private static readonly DateTime s_now = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    private static readonly PodDebugSession s_session = new()
    {
        Namespace = "default",
        PodName = "shop",
        ContainerName = "web",
        NodeName = "node-1",
    };

    [Fact]
    public void A_look_has_parts_and_types_with_their_modules()
    {
        PyHeapReport report = Parse(Least)!;
        Assert.Equal("default/shop/web process 1: RSS 976.6 KiB, 2 types", report.ToString());
        RecordTests.AssertRowsSayWhereTheyAreFrom(report);
        Assert.Equal(["shop.Order", "dict"], report.Types.Select(t => t.Type));
        Assert.Equal(390640, report.Types[1].Bytes);
        Assert.Equal("Python objects", report.Parts[0].Name);
        Assert.Null(report.Types[0].Grows);
        Assert.Null(report.SecondsToLimit);
        Assert.Empty(report.Warnings);
        Assert.Equal(0, report.HeldMicroseconds);
    }

    [Theory]
    [InlineData("\"pid\":1", "\"pid\":-1")]
    [InlineData("\"bytes\":600000", "\"bytes\":-5")]
    [InlineData("\"bytes\":600000", "\"bytes\":1e300")]
    [InlineData("\"count\":5000", "\"count\":\"many\"")]
    [InlineData("[[0,1000000]]", "[]")]
    [InlineData("[[0,1000000]]", "[[0]]")]
    [InlineData("\"parts\":[", "\"parts\":7,\"x\":[")]
    public void An_answer_with_sizes_that_are_none_is_refused(string good, string bad)
        => Assert.Null(Parse(Least.Replace(good, bad, StringComparison.Ordinal)));

    [Fact]
    public void Unknown_memory_above_a_tenth_is_said_first()
    {
        PyHeapReport report = Parse(
            Least.Replace("\"unknown\":10000", "\"unknown\":120000", StringComparison.Ordinal))!;
        Assert.Contains("12 % of the RSS", Assert.Single(report.Warnings), StringComparison.Ordinal);
        string[] lines = Shown(report);
        Assert.Contains("nothing is known", lines[2], StringComparison.Ordinal);
        Assert.StartsWith("RSS ", lines[3], StringComparison.Ordinal);
    }

    [Fact]
    public void A_census_that_is_refused_leaves_the_parts_and_says_why()
    {
        string why = "\"why\":{\"cause\":\"HeapAllocator\",\"message\":\"Its allocator (mimalloc) cannot "
            + "be read.\"},\"types\":[";
        PyHeapReport report = Parse(Least.Replace("\"types\":[", why, StringComparison.Ordinal))!;
        Assert.Equal("HeapAllocator", report.WhyNoCensusCause);
        Assert.Contains("mimalloc", report.Warnings[0], StringComparison.Ordinal);
        Assert.Contains("Get-MemrayReport", report.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_from_the_target_cannot_move_the_cursor()
    {
        PyHeapReport report = Parse(Least.Replace("shop\"", "sh\\u001b[2Jop\"", StringComparison.Ordinal))!;
        Assert.DoesNotContain(Shown(report), l => l.Contains('\u001b', StringComparison.Ordinal));
    }

    [Fact]
    public void The_view_is_no_wider_than_120_columns()
        => Assert.All(Shown(Parse(Least)!), l => Assert.InRange(l.Length, 0, 119));

    [Theory]
    [InlineData(100, 1000, 10, 2000, 90.0)]
    [InlineData(100, 1000, 10, null, null)]
    [InlineData(0, 1000, 10, 2000, null)]
    [InlineData(-100, 1000, 10, 2000, null)]
    public void The_limit_is_foretold_of_growth_alone(
        double rate, double start, int seconds, int? limit, double? expected)
    {
        const double unit = 1 << 20;
        (double, double)[] points =
            [.. Enumerable.Range(0, seconds + 1).Select(s => ((double)s, (start * unit) + (s * rate * unit / 10)))];
        double? found = MemoryForecast.SecondsToLimit(points, limit is int most ? (long)(most * unit) : null);
        Assert.Equal(expected, found);
    }

    [Fact]
    public void Memory_that_only_moves_foretells_nothing()
    {
        (double, double)[] points =
            [.. Enumerable.Range(0, 21).Select(s => ((double)s, 1e8 + (1e6 * Math.Sin(s * 2.1)) + (s * 2e4)))];
        Assert.Null(MemoryForecast.SecondsToLimit(points, 1 << 30));
    }

    private static PyHeapReport? Parse(string text)
    {
        using JsonDocument document = JsonDocument.Parse(text);
        return HeapParser.Parse(document.RootElement, s_session, s_now, 15);
    }

    private static string[] Shown(PyHeapReport report)
        => HeapDisplay.Whole(report).Split('\n');
}
