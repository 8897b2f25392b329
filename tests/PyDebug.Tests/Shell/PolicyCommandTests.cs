using System;
using System.Linq;
using System.Management.Automation;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>A policy file in front of the cmdlets.</summary>
[Collection(nameof(EnvironmentCollection))]
public sealed class PolicyCommandTests : IDisposable
{
    private const string Start = "Start-PodDebug web-0 -Namespace shop @server";

    private readonly TempDirectory _directory = new();
    private readonly FakeCluster _cluster = new();
    private readonly ModuleShell _shell;

    public PolicyCommandTests() => _shell = new(_cluster);

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(TeamPolicy.Variable, null);
        _shell.Dispose();
        _cluster.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData("Get-PodDebug -Namespace shop @server")]
    [InlineData(Start + " -ContainerName app")]
    [InlineData("$s | Get-PyStack")]
    [InlineData("$s | Stop-PodDebug")]
    public async Task A_file_that_is_not_understood_refuses_every_cmdlet_and_nothing_is_sent(string command)
    {
        await _shell.RunAsync($"$s = {Start} -ContainerName app");
        string file = Allow("""{"allow":"all"}""");
        int before = _cluster.Requests.Count;

        ErrorRecord error = await _shell.FailAsync(command);

        Assert.StartsWith("PolicyInvalid,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains($"'{file}' refuses everything: field 'allow' is not known", error.Exception.Message);
        Assert.Equal(before, _cluster.Requests.Count);
    }

    [Fact]
    public async Task A_cmdlet_that_is_switched_off_asks_nothing_and_the_others_go_on()
    {
        await _shell.RunAsync($"$s = {Start} -ContainerName app");
        string file = Allow("""{"cmdlets":{"Get-MemrayReport":false}}""");
        int before = _cluster.Requests.Count;

        ErrorRecord error = await _shell.FailAsync("$s | Get-MemrayReport -Confirm:$false");

        Assert.StartsWith("PolicyDenied,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal(
            $"Policy file '{file}' does not allow Get-MemrayReport (rule 'cmdlets').", error.ErrorDetails.Message);
        Assert.Equal(before, _cluster.Requests.Count);
        await _shell.RunAsync("Get-PodDebug -Namespace shop @server");
        Assert.DoesNotContain(
            _shell.Errors, e => e.FullyQualifiedErrorId.StartsWith("Policy", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_refusal_among_several_ends_nothing_for_the_others()
    {
        Allow("""{"images":["shop/*"]}""");

        await _shell.RunAsync(
            "'sidecar', 'app' | ForEach-Object { [pscustomobject]@{ PodName = 'web-0'; ContainerName = $_ } } | "
            + "Start-PodDebug -Namespace shop @server -ThrottleLimit 1");

        ErrorRecord error = Assert.Single(_shell.Errors);
        Assert.StartsWith("PolicyDenied,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains("does not allow image 'proxy:1' (rule 'images')", error.Exception.Message);
        Assert.Equal("It allows shop/*. Nothing was changed.", error.ErrorDetails.RecommendedAction);
        Assert.Equal("shop/web:3", _cluster.Ephemeral.Single()!["image"]!.ToString());
    }

    [Fact]
    public async Task The_users_own_file_holds_as_well_as_the_one_that_is_named()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The folder is named otherwise there.");
        string? before = Environment.GetEnvironmentVariable("XDG_CONFIG_HOME");
        try
        {
            Environment.SetEnvironmentVariable("XDG_CONFIG_HOME", _directory.Path);
            string own = _directory.Write("pydebug/policy.json", """{"cmdlets":{"Get-PodDebug":false}}""");
            Allow("""{"cmdlets":{"Get-PyTask":false}}""");

            ErrorRecord error = await _shell.FailAsync("Get-PodDebug -Namespace shop @server");

            Assert.Contains($"'{own}' does not allow Get-PodDebug", error.Exception.Message);
            Assert.Equal("/etc/pydebug/policy.json", TeamPolicy.MachineFile());
        }
        finally
        {
            Environment.SetEnvironmentVariable("XDG_CONFIG_HOME", before);
        }
    }

    [Fact]
    public async Task What_is_refused_is_refused_with_WhatIf_too()
    {
        Allow("""{"profiles":["Restricted"]}""");

        ErrorRecord error = await _shell.FailAsync(Start + " -ContainerName app -WhatIf");

        Assert.StartsWith("PolicyDenied,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    private string Allow(string text)
    {
        string path = _directory.Write("policy.json", text);
        Environment.SetEnvironmentVariable(TeamPolicy.Variable, path);
        return path;
    }
}
