using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Xml.Linq;
using PyDebug.Profiles;
using PyDebug.Profiles.Flame;
using PyDebug.Tests.Module;
using Xunit;

namespace PyDebug.Tests.Profiles;

public sealed class MemrayProfileTests
{
    [Theory]
    [InlineData(null, "Leaked", "bytes")]
    [InlineData("leaked", "Leaked", "bytes")]
    [InlineData("HIGHWATERMARK", "HighWatermark", "bytes")]
    [InlineData("LeakedAllocations", "LeakedAllocations", "allocations")]
    [InlineData("HighWatermarkAllocations", "HighWatermarkAllocations", "allocations")]
    public void A_report_offers_a_profile_of_each_metric(string? asked, string metric, string unit)
    {
        StackProfile profile = Assert.Single(MemrayParserTests.Recorded().GetStackProfiles(asked));
        Assert.Equal((metric, unit), (profile.Metric, profile.Unit));
        Assert.Equal("default/bad-app/web process 1", ProfileText.Where(profile));
        Assert.Equal("memray 1.20.0", profile.Tool);
    }

    [Fact]
    public void A_metric_that_it_has_not_is_nothing()
    {
        Assert.Empty(MemrayParserTests.Recorded().GetStackProfiles("Cpu"));
        Assert.Equal("Leaked", MemrayParserTests.Recorded().GetStackProfileMetrics()[0]);
    }

    [Fact]
    public void Profiles_add_up_to_the_sums_with_what_was_left_out()
    {
        MemrayReport report = MemrayParserTests.Recorded();
        double Sum(string metric) => report.GetStackProfiles(metric)[0].Samples.Sum(s => s.Value);
        Assert.Equal(report.LeakedBytes!.Value, Sum("Leaked"));
        Assert.Equal(report.PeakBytes!.Value, Sum("HighWatermark"));
        Assert.Equal(report.LeakedCount!.Value, Sum("LeakedAllocations"));
        Assert.Contains(
            report.GetStackProfiles(null)[0].Samples, s
                => s.Frames is [{ Name: "(7 smaller stacks)" }] && s.Value == 3000);
        Assert.DoesNotContain(
            report.GetStackProfiles("HighWatermark")[0].Samples, s => s.Frames.Any(f => f.Name.Contains("smaller")));
    }

    [Fact]
    public void A_picture_is_in_bytes_with_the_hue_of_memory()
    {
        string text = Draw(MemrayParserTests.Recorded().GetStackProfiles(null)).ToString();
        Assert.Contains("all threads: 38.1 MiB", text, StringComparison.Ordinal);
        Assert.Contains("memory kept · 30.0 s · 19,132 allocations", text, StringComparison.Ordinal);
        Assert.Contains("94.7 %, 36.1 MiB, 18,204 allocations", text, StringComparison.Ordinal);
        Assert.Contains("data-unit=\"bytes\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain(
            "samples", text.Replace("' samples'", "", StringComparison.Ordinal), StringComparison.Ordinal);
        string Hue(string metric) => FlamePalette.Rules(["a00"], metric, dark: false);
        Assert.Equal(Hue("Bytes"), Hue("Leaked"));
        Assert.Equal(Hue("Bytes"), Hue("HighWatermarkAllocations"));
        Assert.Equal(4, new[] { "Cpu", "Wall", "Wait", "Leaked" }.Select(Hue).Distinct().Count());
    }

    [Fact]
    public void A_picture_of_allocations_counts_them_once()
    {
        string text = Draw(MemrayParserTests.Recorded().GetStackProfiles("LeakedAllocations")).ToString();
        Assert.Contains("all threads: 19,132 allocations", text, StringComparison.Ordinal);
        Assert.Contains("95.1 %, 18,204 allocations", text, StringComparison.Ordinal);
        Assert.DoesNotContain("allocations, 18,204", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Leaked")]
    [InlineData("LeakedAllocations")]
    public void Speedscope_keeps_metric_unit_and_stacks(string metric)
    {
        StackProfile profile = MemrayParserTests.Recorded().GetStackProfiles(metric)[0];
        using MemoryStream file = new();
        SpeedscopeWriter.Write(file, [profile], "1.0.0");
        file.Position = 0;
        StackProfile again = Assert.Single(Fixture.Read(file));
        Assert.Equal((profile.Metric, profile.Unit), (again.Metric, again.Unit));
        Assert.Equal(Lines(profile), Lines(again));
    }

    [Fact]
    public void Collapsed_stacks_are_in_bytes()
    {
        StringWriter text = new();
        CollapsedWriter.Write(text, MemrayParserTests.Recorded().GetStackProfiles(null));
        Assert.Contains(
            ";handle (/srv/shop/app/views.py:14);remember (/srv/shop/app/cache.py:51) 37848736\n", text.ToString());
    }

    private static IEnumerable<string> Lines(StackProfile profile)
        => profile.Samples
            .Select(s => $"{s.ThreadId} {s.Thread} {s.Value} {s.Count} {string.Join('|', s.Frames)}")
            .Order(StringComparer.Ordinal);

    private static XDocument Draw(IReadOnlyList<StackProfile> profiles)
    {
        StringWriter writer = new();
        FlameGraphWriter.Write(writer, profiles, byThread: false);
        return XDocument.Parse(writer.ToString());
    }
}
