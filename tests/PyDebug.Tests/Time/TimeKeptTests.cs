using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>A measurement whose pod goes: what was seen until then is reported.</summary>
public sealed class TimeKeptTests : IDisposable
{
    private readonly FakeCluster _cluster = new();
    private readonly ModuleShell _shell;

    public TimeKeptTests() => _shell = new(_cluster);

    public void Dispose()
    {
        _shell.Dispose();
        _cluster.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_sent_ahead_is_the_report_where_the_pod_goes_and_nothing_where_it_stays(bool goes)
    {
        _cluster.Exec = async exec =>
        {
            if ((await exec.BootAsync())["op"]!.ToString() == "probe")
            {
                await exec.HelloAsync();
                await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "probe", ["targetVisible"] = true });
                await exec.FinishAsync();
                return;
            }

            await exec.HelloAsync();
            foreach (double seconds in new[] { 1.0, 5.0 })
            {
                await exec.SendFrameAsync('R', Report("timeSoFar", seconds));
            }

            if (!goes)
            {
                await exec.SendFrameAsync('R', Report("time", 10.0));
                await exec.FinishAsync();
                return;
            }

            _cluster.PodObject["metadata"]!["deletionTimestamp"] = "2026-01-01T00:00:00Z";
            await exec.SendStatusAsync(
                """
                {"status":"Failure","reason":"NonZeroExitCode","message":"command terminated",
                 "details":{"causes":[{"reason":"ExitCode","message":"137"}]}}
                """);
            await exec.SendCloseAsync();
        };

        IReadOnlyList<PSObject> output = await _shell.RunAsync(
            "Start-PodDebug web-0 -Namespace shop -ContainerName app @server | Measure-PyTime -DurationSeconds 10");

        PyTimeReport report = Assert.IsType<PyTimeReport>(Assert.Single(output).BaseObject);
        Assert.Empty(_shell.Errors);
        Assert.Equal((goes ? 5.0 : 10.0, goes), (report.DurationSeconds, report.Ended));
        Assert.Equal(
            goes ? 1 : 0, _shell.Warnings.Count(w => w.Contains("is being deleted", StringComparison.Ordinal)));
        Assert.Equal(goes ? 1 : 0, _shell.Warnings.Count(w => w.Contains("after 5.0 s", StringComparison.Ordinal)));
    }

    private static JsonObject Report(string kind, double seconds)
    {
        JsonObject report = JsonNode.Parse(File.ReadAllText(
            Path.Join(AppContext.BaseDirectory, "Fixtures", "time", "memory-cpython3.11.2.json")))!.AsObject();
        report["kind"] = kind;
        report["seconds"] = seconds;
        return report;
    }
}
