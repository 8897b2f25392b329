using System;
using System.IO;
using System.Management.Automation;
using System.Threading.Tasks;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>A file that is copied into a container goes into the debug container, and into no process's root.</summary>
public sealed class CopyToProcessTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Theory]
    [InlineData("/proc/1/root/tmp/x")]
    [InlineData("/proc/1/root/tmp/")]
    [InlineData("//proc/./1/cwd/x")]
    [InlineData("/./proc/self/fd/3")]
    [InlineData("/proc")]
    public async Task One_that_is_to_go_below_proc_is_refused_before_anything_is_run(string destination)
    {
        int run = 0;
        using FakeCluster cluster = new();
        using ModuleShell shell = new(cluster);
        cluster.Exec = async exec =>
        {
            run++;
            await FakeCluster.ProbeAsync(exec);
        };
        await shell.RunAsync("$s = Start-PodDebug web-0 -Namespace shop -ContainerName app @server");
        Assert.Empty(shell.Errors);
        run = 0;

        ErrorRecord error = await shell.FailAsync(
            $"$s | Copy-PodFile -Path '{_file}' -Destination '{destination}' -ToContainer @server");

        Assert.StartsWith("ParameterInvalid,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains("nothing is written there", error.Exception.Message, StringComparison.Ordinal);
        Assert.Contains("volume", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Equal(0, run);
    }
}
