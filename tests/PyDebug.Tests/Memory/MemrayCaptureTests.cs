using System;
using System.IO;
using System.Text.Json;
using System.Text.Json.Nodes;
using PyDebug.Commands;
using PyDebug.Internal;
using PyDebug.Tests.Engine;
using PyDebug.Tests.Profiles;
using PyDebug.Tools.Memray;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>Captures as they are found: empty, cut, of something else, or of a process that was killed.</summary>
public sealed class MemrayCaptureTests
{
    private static readonly DateTime s_now = new(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc);

    private static readonly byte[] s_packed =
        [0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0xc0, 0xc0, 0x2e, 0, 0, 0xfb, 3, (byte)'m', (byte)'e', (byte)'m', 7, 0x50,
            0, 0, 0, 0];

    [Theory]
    [InlineData("", "is empty: tracking never ended")]
    [InlineData("mem", "is cut: it is shorter than a capture's head")]
    [InlineData("memray\0\u000c and more", null)]
    [InlineData("something else", "is no capture")]
    [InlineData("{\"kind\":1}", "is no capture")]
    public void A_file_that_can_be_no_capture_is_refused_for_what_it_is(string content, string? reason)
        => Check(System.Text.Encoding.Latin1.GetBytes(content), reason);

    [Fact]
    public void What_memray_packed_is_whole_where_its_end_is_there()
    {
        Check(s_packed, null);
        Check(s_packed[..^1], "is cut");
        Check(s_packed[..(s_packed.Length / 2)], "is cut");
        byte[] summed = [.. s_packed, 1, 2, 3, 4];
        summed[4] |= 0x04;
        Check(summed, null);
        Check(summed[..^2], "is cut");
    }

    [Fact]
    public void The_failure_names_the_file_and_its_size()
    {
        using TempDirectory folder = new();
        string path = Path.Combine(folder.Path, "half.bin");
        File.WriteAllBytes(path, s_packed[..12]);
        PyDebugException e = Assert.Throws<PyDebugException>(() => MemrayCapture.Find(path));
        Assert.Equal("CaptureInvalid", e.ErrorRecord.FullyQualifiedErrorId);
        Assert.Contains("half.bin' (12 bytes) is cut", e.Message);
    }

    [Theory]
    [InlineData(1795650600.25)]
    [InlineData(0)]
    public void A_capture_of_a_process_that_was_killed_is_a_report_marked_as_such(double ended)
    {
        MemrayReport report = Read(r => r["metadata"]!["ended"] = ended);

        Assert.Equal("Incomplete", report.EndReason);
        Assert.Equal(report.Timeline[^1].Seconds, report.DurationSeconds, 3);
        Assert.True(report.LeakedBytesPerSecond > 0);
        Assert.False(MemrayParser.IsCut(report));
        Assert.Contains("was killed while it was tracked", report.Warnings[0]);
        Assert.Null(Read(_ => { }).EndReason);
    }

    private static MemrayReport Read(Action<JsonNode> change)
    {
        JsonNode report = JsonNode.Parse(File.ReadAllText(Fixture.PathOf("cases/memray.json")))!["report"]!.DeepClone();
        change(report);
        using JsonDocument document = JsonDocument.Parse(
            new JsonObject { ["kind"] = "memrayRead", ["memray"] = "1.20.0", ["report"] = report }.ToJsonString());
        return MemrayParser.ParseRead(document.RootElement, "/tmp/leak.bin", 4096, s_now)!;
    }

    private static void Check(byte[] content, string? reason)
    {
        using MemoryStream file = new(content);
        string? why = MemrayFile.WhyNone(file);
        if (reason is null)
        {
            Assert.Null(why);
        }
        else
        {
            Assert.Contains(reason, why);
        }
    }
}
