using System;
using System.Linq;
using System.Threading.Tasks;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>How often the server is asked for what a user types again and again.</summary>
public sealed class RoundTripTests : IDisposable
{
    private readonly FakeCluster _cluster = new();
    private readonly ModuleShell _shell;

    public RoundTripTests() => _shell = new(_cluster);

    public void Dispose()
    {
        _shell.Dispose();
        _cluster.Dispose();
    }

    [Fact]
    public async Task A_pod_is_read_once_and_asked_about_once_before_the_exec_and_a_session_is_not_asked_about_at_all()
    {
        await _shell.RunAsync("$s = Start-PodDebug web-0 -Namespace shop -ContainerName app @server");
        Assert.Empty(_shell.Errors);
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            await exec.SendTrailerAsync();
            await exec.ReadFrameAsync();
            await exec.SendStatusAsync("{\"metadata\":{},\"status\":\"Success\"}");
            await exec.SendCloseAsync();
        };
        _cluster.Requests.Clear();

        await _shell.RunAsync("Start-PodDebug web-0 -Namespace shop -ContainerName app @server | Get-PyStack");
        Assert.Empty(_shell.Errors);
        Assert.Equal(["GET", "PATCH", "exec"], Asked());

        await _shell.RunAsync("$s | Get-PyStack; $s | Get-PyTask; $s | Get-PyProcess");
        Assert.Empty(_shell.Errors);
        Assert.Equal(["exec", "exec", "exec"], Asked());
    }

    private string[] Asked()
    {
        string[] asked = [.. _cluster.Requests.Select(request => request.IsExec ? "exec" : request.Method)];
        _cluster.Requests.Clear();
        return asked;
    }
}
