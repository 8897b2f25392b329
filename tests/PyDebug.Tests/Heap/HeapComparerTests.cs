using System;
using System.Collections.Generic;
using System.Linq;
using PyDebug.Heap;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class HeapComparerTests
{
    private static readonly DateTime s_started = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    [Fact]
    public void One_process_is_compared_in_bytes()
    {
        PyHeapReport before = Report(("shop.Order", 10, 1000, 0), ("shop.Old", 1, 64, 0), ("str", 5, 500, 0));
        PyHeapReport after = Report(("shop.Order", 30, 3000, 0), ("shop.New", 2, 128, 0), ("str", 5, 500, 0));
        HeapComparer comparer = new(before, after with { StartTime = s_started.AddSeconds(0.4) });
        Assert.True(comparer.IsSameProcess);
        Assert.Empty(comparer.Remarks());
        Dictionary<string, PyHeapDifference> rows = Types(comparer);
        Assert.Equal(("Grown", 2000.0, "Bytes"),
            (rows["shop.Order"].Change, rows["shop.Order"].Difference, rows["shop.Order"].Basis));
        Assert.Equal((10L, 30L), (rows["shop.Order"].ReferenceCount, rows["shop.Order"].DifferenceCount));
        Assert.Equal(("Gone", -64.0), (rows["shop.Old"].Change, rows["shop.Old"].Difference));
        Assert.Equal(("New", 128.0), (rows["shop.New"].Change, rows["shop.New"].Difference));
        Assert.Equal("Same", rows["str"].Change);
        Assert.Equal("shop.Order: Grown +2.0 KiB", rows["shop.Order"].ToString());
        Assert.Equal("shop.Order", comparer.Compare().First(r => r.Kind == "Type").Name);
    }

    [Fact]
    public void What_lies_within_the_margin_is_the_same()
    {
        PyHeapReport before = Report(("dict", 100, 10_000, 300));
        PyHeapDifference row = Types(new HeapComparer(before, Report(("dict", 104, 10_400, 400))))["dict"];
        Assert.Equal(("Same", 500.0), (row.Change, row.DifferenceMargin));
        Assert.Equal("Grown", Types(new HeapComparer(before, Report(("dict", 106, 10_600, 400))))["dict"].Change);
    }

    [Theory]
    [InlineData("shop-2", 0, "3.13.5", 1)]
    [InlineData("shop", 60, "3.13.5", 1)]
    [InlineData("shop", 60, "3.14.1", 2)]
    public void Two_processes_are_compared_by_shares_and_that_is_said(
        string pod, int later, string version, int remarks)
    {
        PyHeapReport before = Report(("shop.Order", 10, 10_000, 0)) with
        {
            ResidentBytes = 100_000, ResidentEndBytes = 100_000,
        };
        PyHeapReport after = Report(("shop.Order", 30, 30_000, 0)) with
        {
            PodName = pod,
            StartTime = s_started.AddSeconds(later),
            PythonVersion = version,
            ResidentEndBytes = 300_000,
        };
        HeapComparer comparer = new(before, after);
        Assert.Equal(remarks, comparer.Remarks().Count);
        Assert.Contains("two processes", comparer.Remarks()[0], StringComparison.Ordinal);
        PyHeapDifference row = Types(comparer)["shop.Order"];
        Assert.Equal(
            ("Share", 10.0, 10.0, 0.0), (row.Basis, row.ReferencePercent, row.DifferencePercent, row.Difference));
        Assert.Equal("Same", row.Change);
    }

    [Fact]
    public void Two_processes_of_one_container_that_started_together_are_two()
    {
        PyHeapReport before = Report(("shop.Order", 10, 10_000, 0));
        Assert.True(new HeapComparer(before, before with { ResidentBytes = 1 }).IsSameProcess);
        Assert.False(new HeapComparer(before, before with { ProcessId = before.ProcessId + 1 }).IsSameProcess);
    }

    [Fact]
    public void A_type_that_may_have_been_left_out_is_neither_new_nor_gone()
    {
        PyHeapReport cut = Report(("str", 5, 500, 0)) with { TypeCount = 7 };
        Assert.Equal("Unlisted", Types(
            new HeapComparer(cut, Report(("str", 5, 500, 0), ("shop.New", 1, 64, 0))))["shop.New"].Change);
    }

    [Fact]
    public void A_holder_is_new_only_where_its_type_was_followed_before()
    {
        PyHeapHolder list = new()
        {
            Type = "shop.Order",
            Path = "module shop.LEAK -> list[*]",
            HeldSampleCount = 8,
            SampleCount = 8,
            Bytes = 900,
        };
        PyHeapHolder dict = list with { Path = "module shop.CACHE -> dict[*]", Bytes = 100 };
        PyHeapReport without = Report(("shop.Order", 1, 1, 0));
        PyHeapReport with = without with { Holders = [list, dict] };
        Assert.Equal("New", Holder(without with { Holders = [dict] }, with, list).Change);
        Assert.Equal("Unlisted", Holder(without, with, list).Change);
        Assert.Equal("Gone", Holder(with, without with { Holders = [dict] }, list).Change);
    }

    private static PyHeapDifference Holder(PyHeapReport before, PyHeapReport after, PyHeapHolder holder)
        => new HeapComparer(before, after).Compare().Single(
            r => r.Kind == "Holder" && r.Name == $"{holder.Type}: {holder.Path}");

    private static Dictionary<string, PyHeapDifference> Types(HeapComparer comparer)
        => comparer.Compare().Where(r => r.Kind == "Type").ToDictionary(r => r.Name);

    private static PyHeapReport Report(params (string Name, long Count, long Bytes, long Margin)[] types)
        => new()
        {
            Namespace = "default",
            PodName = "shop",
            ContainerName = "web",
            ProcessId = 1,
            StartTime = s_started,
            PythonVersion = "3.13.5",
            ResidentBytes = 100_000,
            ResidentEndBytes = 100_000,
            Parts = [new PyHeapPart { Name = "Python objects", Kind = "Object", Bytes = 1, EndBytes = 60_000 }],
            TypeCount = types.Length,
            Types =
            [
                .. types.Select(t => new PyHeapType
                {
                    Type = t.Name,
                    Name = t.Name,
                    Count = t.Count,
                    Bytes = t.Bytes,
                    BytesMargin = t.Margin,
                }),
            ],
        };
}
