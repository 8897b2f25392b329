using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Xml.Linq;
using PyDebug.Profiles;
using PyDebug.Profiles.Flame;
using PyDebug.Tests.Module;
using Xunit;

namespace PyDebug.Tests.Profiles;

public sealed class TimeProfileTests
{
    private static readonly XNamespace s_svg = "http://www.w3.org/2000/svg";

    [Theory]
    [InlineData(null, "Wall")]
    [InlineData("wall", "Wall")]
    [InlineData("CPU", "Cpu")]
    [InlineData("Wait", "Wait")]
    public void A_report_offers_a_profile_of_each_metric(string? asked, string metric)
    {
        StackProfile profile = Assert.Single(TimeParserTests.Recorded().GetStackProfiles(asked));
        Assert.Equal(metric, profile.Metric);
        Assert.Equal("seconds", profile.Unit);
        Assert.Equal("default/bad-app/web process 1", ProfileText.Where(profile));
        Assert.Equal("PyDebug, kernel sampler", profile.Tool);
        Assert.False(profile.StopsProcess);
    }

    [Fact]
    public void A_metric_that_it_has_not_is_nothing()
    {
        Assert.Empty(TimeParserTests.Recorded().GetStackProfiles("Bytes"));
        Assert.Equal(["Wall", "Cpu", "Wait"], TimeParserTests.Recorded().GetStackProfileMetrics());
    }

    [Fact]
    public void Wall_is_Cpu_and_Wait_together_and_all_of_the_time()
    {
        PyTimeReport report = TimeParserTests.Recorded();
        double Sum(string metric) => report.GetStackProfiles(metric)[0].Samples.Sum(s => s.Value);
        Assert.Equal(Sum("Cpu") + Sum("Wait"), Sum("Wall"), 1e-6);
        Assert.Equal(report.Threads.Sum(t => t.WallSeconds), Sum("Wall"), 1e-4);
        Assert.Equal(report.Threads.Count, report.GetStackProfiles("Wall")[0].Threads.Count);
    }

    [Fact]
    public void The_same_stack_is_kept_apart_by_reason()
    {
        StackProfile profile = TimeParserTests.Recorded().GetStackProfiles("Wall")[0];
        StackSample[] zlib = [.. profile.Samples.Where(s => s.Thread == "zlib" && s.Frames.Count > 0)];
        Assert.Equal(["Cpu", "Gil", "Runnable"], zlib.Select(s => s.Reason));
        Assert.Single(zlib.Select(s => s.Frames.Count).Distinct());
        Assert.All(TimeParserTests.Recorded().GetStackProfiles("Cpu")[0].Samples, s => Assert.Null(s.Reason));
    }

    [Fact]
    public void A_wall_picture_ends_each_stack_in_its_reason()
    {
        XDocument picture = Draw(TimeParserTests.Recorded().GetStackProfiles(null));
        string[] ends = [.. picture.Descendants(s_svg + "svg")
            .Where(e => ((string?)e.Attribute("class"))?.StartsWith("f r", StringComparison.Ordinal) == true)
            .Select(e => e.Element(s_svg + "title")!.Value)];
        Assert.Contains(
            ends, e => e.StartsWith("GIL\nwaiting for the global interpreter lock\n", StringComparison.Ordinal));
        Assert.Contains(ends, e => e.StartsWith(
            "recvfrom\nwaiting in a system call\n11.1 %, 10.00 s, 490 samples", StringComparison.Ordinal));
        Assert.Contains(ends, e => e.StartsWith("CPU\non a CPU\n", StringComparison.Ordinal));
        string[] legend = [.. picture.Descendants(s_svg + "text").Select(t => t.Value)];
        Assert.Contains("waits for the GIL", legend);
        Assert.Contains("I/O", legend);
        Assert.DoesNotContain("other", legend);
    }

    [Fact]
    public void A_CPU_picture_has_no_reasons_and_a_hue_of_its_own()
    {
        PyTimeReport report = TimeParserTests.Recorded();
        string cpu = Draw(report.GetStackProfiles("Cpu")).ToString();
        Assert.DoesNotContain("class=\"f r", cpu, StringComparison.Ordinal);
        Assert.DoesNotContain("waits for the GIL", cpu, StringComparison.Ordinal);
        string Hue(string metric) => FlamePalette.Rules(["a00"], metric, dark: false);
        Assert.Equal(4, new[] { "Cpu", "Wall", "Wait", "Bytes" }.Select(Hue).Distinct().Count());
    }

    [Fact]
    public void Several_reports_become_one_picture_with_their_processes_as_roots()
    {
        PyTimeReport report = TimeParserTests.Recorded();
        PyTimeReport other = report with { ProcessId = 7, CommandLine = "gunicorn: worker" };
        XDocument picture = Draw([.. report.GetStackProfiles(null), .. other.GetStackProfiles(null)]);
        string text = picture.ToString();
        Assert.Contains("process 1: python3 /srv/app.py", text, StringComparison.Ordinal);
        Assert.Contains("process 7: gunicorn: worker", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Speedscope_shows_the_reason_as_the_last_frame_and_reading_it_back_loses_nothing()
    {
        StackProfile profile = TimeParserTests.Recorded().GetStackProfiles(null)[0];
        using MemoryStream file = new();
        SpeedscopeWriter.Write(file, [profile], "1.0.0");
        Assert.Contains("\"[recvfrom]\"", Encoding.UTF8.GetString(file.ToArray()), StringComparison.Ordinal);
        file.Position = 0;
        StackProfile again = Assert.Single(Fixture.Read(file));
        Assert.Equal("Wall", again.Metric);
        Assert.Equal(Lines(profile), Lines(again));
    }

    [Fact]
    public void Collapsed_stacks_end_in_their_reason()
    {
        StringWriter text = new();
        CollapsedWriter.Write(text, TimeParserTests.Recorded().GetStackProfiles(null));
        Assert.Contains(
            ";slow_reader (/srv/troubles.py:81);fetch (/srv/troubles.py:74);[recvfrom] 490\n", text.ToString());
        Assert.Contains("[unproven] ", text.ToString());
    }

    private static IEnumerable<string> Lines(StackProfile profile)
        => profile.Samples
            .Select(s => $"{s.ThreadId} {s.Thread} {s.Reason} {s.Call} {s.Value:0.######} {s.Count} "
                + $"{string.Join('|', s.Frames)}")
            .Order(StringComparer.Ordinal);

    private static XDocument Draw(IReadOnlyList<StackProfile> profiles)
    {
        StringWriter writer = new();
        FlameGraphWriter.Write(writer, profiles, byThread: false);
        return XDocument.Parse(writer.ToString());
    }
}
