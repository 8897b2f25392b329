using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>A session that somebody handed over: it names a debug container of PyDebug's, or nothing is run.</summary>
public sealed class HandedSessionTests : IAsyncLifetime
{
    private readonly FakeCluster _cluster = new();
    private readonly ModuleShell _shell;
    private readonly List<FakeRequest> _run = [];

    public HandedSessionTests()
    {
        _shell = new(_cluster);
        _cluster.Exec = async exec =>
        {
            _run.Add(exec.Request);
            await FakeCluster.ProbeAsync(exec);
        };
    }

    public async ValueTask InitializeAsync()
    {
        await _shell.RunAsync(
            """
            function Get-Handed([string] $Property, $Value) {
                $plain = @{}
                foreach ($one in $s.PSObject.Properties) { $plain[$one.Name] = $one.Value }
                if ($Property) { $plain[$Property] = $Value }
                [pscustomobject] $plain
            }
            $s = Start-PodDebug web-0 -Namespace shop -ContainerName app @server
            """);
        Assert.Empty(_shell.Errors);
        _run.Clear();
    }

    public ValueTask DisposeAsync()
    {
        _shell.Dispose();
        _cluster.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData("DebugContainer", "app", "NotPyDebug")]
    [InlineData("DebugContainer", "sidecar", "NotPyDebug")]
    [InlineData("DebugContainer", "foreign", "NotPyDebug")]
    [InlineData("DebugContainer", "planted", "NotPyDebug")]
    [InlineData("DebugContainer", "planted-python", "NotPyDebug")]
    [InlineData("DebugContainer", "planted-target", "NotPyDebug")]
    [InlineData("DebugContainer", "nowhere", "DebugContainerGone")]
    [InlineData("DebugContainer", "../app", "DebugContainerGone")]
    [InlineData("PodUid", "uid-9", "PodReplaced")]
    public async Task What_it_says_is_looked_up_before_anything_is_run(string property, string value, string id)
    {
        Plant("foreign", c => c.Remove("env"));
        Plant("planted", c => c["command"]![1] = "-i");
        Plant("planted-python", c => c["command"]![0] = "/tmp/python3");
        Plant("planted-target", c => c["targetContainerName"] = "sidecar");

        foreach (string command in new[] { "Get-PyStack", "Copy-PodFile -Path /etc/passwd -Destination /tmp/x" })
        {
            ErrorRecord error = await _shell.FailAsync(
                $"Get-Handed {property} '{value}' | {command} @server");
            Assert.StartsWith(id + ",", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        }

        Assert.Empty(_run);
    }

    [Fact]
    public async Task The_interpreter_it_names_is_not_what_is_started()
    {
        // No agent answers.
        await _shell.FailAsync("Get-Handed Python /tmp/evil | Get-PyProcess @server");

        Assert.Equal("/usr/bin/python3.13", Assert.Single(_run).Query.GetValues("command")![0]);
    }

    [Fact]
    public async Task A_process_from_json_is_looked_up_as_well()
    {
        ErrorRecord error = await _shell.FailAsync(
            """
            [pscustomobject]@{
                Namespace = 'shop'; PodName = 'web-0'; ContainerName = 'app'; DebugContainer = 'app'; PodUid = 'uid-1'
                ProcessId = 1; StartTime = [DateTime]::UtcNow
            } | Get-PyStack @server
            """);

        Assert.StartsWith("NotPyDebug,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Empty(_run);
    }

    [Fact]
    public async Task One_that_is_refused_ends_nothing_for_the_others()
    {
        await _shell.RunAsync("(Get-Handed DebugContainer app), (Get-Handed) | Get-PyProcess @server");

        Assert.StartsWith("NotPyDebug,", _shell.Errors[0].FullyQualifiedErrorId, StringComparison.Ordinal);
        // No agent answers the other.
        Assert.Equal(2, _shell.Errors.Count);
        Assert.Single(_run);
    }

    [Fact]
    public async Task A_name_that_is_none_is_not_put_into_a_command_to_be_typed()
    {
        ErrorRecord error = await _shell.FailAsync(
            "$o = Get-Handed PodUid uid-9; $o.ContainerName = 'x; iex evil'; $o | Get-PyStack @server");

        Assert.DoesNotContain("evil", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Contains("Start-PodDebug ...", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_of_this_process_is_not_looked_up_again()
    {
        int before = _cluster.Requests.Count;

        // No agent answers.
        await _shell.FailAsync("$s | Get-PyProcess");

        Assert.Single(_run);
        Assert.Equal(before + 1, _cluster.Requests.Count);
    }

    private void Plant(string name, Action<JsonObject> change)
    {
        JsonObject container = _cluster.Ephemeral[0]!.DeepClone().AsObject();
        container["name"] = name;
        change(container);
        _cluster.Add(container, FakeCluster.Running());
    }
}
