using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Threading.Tasks;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>What a console shows beside results: words, refusals before work, completion.</summary>
public sealed class ConsoleTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly FakeCluster _cluster = new();
    private readonly FakeFleet _fleet;
    private readonly ModuleShell _shell;

    public ConsoleTests()
    {
        _shell = new(_cluster);
        _fleet = new(_cluster);
        _fleet.AddWorkload("deployments", "backend");
        _fleet.Add("web-1");
    }

    public void Dispose()
    {
        _shell.Dispose();
        _cluster.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData("/none/such/x.svg", "DestinationInvalid")]
    [InlineData("x.xyz", "ParameterInvalid")]
    public async Task A_file_that_cannot_be_written_is_told_before_anything_is_measured(string path, string id)
    {
        string full = path.StartsWith('/') ? path : Path.Join(_directory.Path, path);

        IReadOnlyList<PSObject> caught = await _shell.RunAsync(
            $"$measured = $false; try {{ & {{ $script:measured = $true }} | Export-StackProfile -Path '{full}' }} "
                + $"catch {{ $_ }}; $measured");

        Assert.StartsWith(id + ",", Assert.IsType<ErrorRecord>(caught[0].BaseObject).FullyQualifiedErrorId);
        Assert.Equal(false, caught[1].BaseObject);
    }

    [Theory]
    [InlineData("Get-PodDebug -AllNamespaces -Namespace x @server")]
    [InlineData("Get-PodDebug -Context y @server")]
    [InlineData("Test-PodDebug x -For Memray, Bpftrace @server")]
    public async Task Parameters_that_do_not_go_together_end_it_before_anything_is_sent(string command)
    {
        PSObject caught = Assert.Single(await _shell.RunAsync($"try {{ {command} }} catch {{ $_ }}"));

        Assert.StartsWith("ParameterInvalid,", Assert.IsType<ErrorRecord>(caught.BaseObject).FullyQualifiedErrorId);
        Assert.Empty(_cluster.Requests);
    }

    [Theory]
    [InlineData("Get-PyStack web-1")]
    [InlineData("'web-1' | Get-PyStack")]
    public async Task A_name_where_a_session_is_wanted_says_so(string command)
    {
        ErrorRecord error = await _shell.FailAsync(command);

        Assert.Contains("a session is wanted, which Start-PodDebug and Get-PodDebug write", error.Exception.Message);
        Assert.Contains("Start-PodDebug web-1 |", error.Exception.Message);
    }

    [Fact]
    public async Task Verbose_tells_each_request_with_its_duration_and_each_decision()
    {
        await _shell.RunAsync("Start-PodDebug web-1 -Namespace shop @server -Verbose; Start-PodDebug web-1 "
            + "-Namespace shop @server -Verbose");

        Assert.Empty(_shell.Errors);
        Assert.Contains(
            _shell.Verbose, v => v.StartsWith("GET /api/v1/namespaces/shop/pods/web-1: HTTP 200 in ")
                && v.EndsWith(" ms (to read pod 'shop/web-1')."));
        Assert.Contains(_shell.Verbose, v => v.StartsWith(
            "PATCH /api/v1/namespaces/shop/pods/web-1/ephemeralcontainers?fieldManager=pydebug&dryRun=All: HTTP 200"));
        Assert.Contains(
            _shell.Verbose, v => v.StartsWith("Exec in pod 'shop/web-1' by v4.channel.k8s.io: HTTP 101 in "));
        Assert.Contains("A dry run in pod 'shop/web-1' accepts profile General.", _shell.Verbose);
        Assert.Contains(_shell.Verbose, v => v.EndsWith("of pod 'shop/web-1' is used again."));
        Assert.DoesNotContain(_shell.Verbose, v => v.Contains(Secrets.Token.ToString()!));
        await _shell.RunAsync("Start-PodDebug web-1 -Namespace shop @server");
        Assert.Empty(_shell.Verbose);
    }
}
