using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Tests.Module;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>Init containers and native sidecars as containers to debug.</summary>
public sealed class InitContainerTests : System.IDisposable
{
    private const string Start = "Start-PodDebug web-0 -Namespace shop @server";

    private readonly FakeCluster _cluster = new();
    private readonly ModuleShell _shell;

    public InitContainerTests()
    {
        _shell = new(_cluster);
        _cluster.PodObject["spec"]!["initContainers"] = JsonNode.Parse(
            """
            [{"name":"poller","image":"poll:1","restartPolicy":"Always","command":["/usr/bin/python3.12"]},
             {"name":"wait-db","image":"wait:1","command":["/usr/bin/python3.11"]}]
            """);
        SetState(running: true, "poller", "wait-db");
    }

    public void Dispose()
    {
        _shell.Dispose();
        _cluster.Dispose();
    }

    [Theory]
    [InlineData("Running", "poller", "poll:1", "/usr/bin/python3.12")]
    [InlineData("Pending", "wait-db", "wait:1", "/usr/bin/python3.11")]
    [InlineData("Pending", "poller", "poll:1", "/usr/bin/python3.12")]
    public async Task One_that_runs_is_debugged_while_the_pod_is_pending_too(
        string phase, string container, string image, string python)
    {
        _cluster.PodObject["status"]!["phase"] = phase;

        PodDebugSession session = (PodDebugSession)Assert.Single(
            await _shell.RunAsync($"{Start} -ContainerName {container}")).BaseObject;

        Assert.Empty(_shell.Errors);
        Assert.Equal((container, image, python), (session.ContainerName, session.Image, session.Python));
        Assert.Equal(container, _cluster.Ephemeral[0]!["targetContainerName"]!.ToString());
        PodDebugSession found = (PodDebugSession)Assert.Single(
            await _shell.RunAsync("Get-PodDebug web-0 -Namespace shop @server")).BaseObject;
        Assert.Equal(session.TargetContainerId, found.TargetContainerId);
        Assert.NotNull(found.TargetContainerId);
    }

    [Fact]
    public async Task A_pod_that_waits_for_one_says_which()
    {
        _cluster.PodObject["status"]!["phase"] = "Pending";
        SetState(running: true, "wait-db");

        string said = (await _shell.FailAsync($"{Start} -ContainerName app")).Exception.Message;

        Assert.EndsWith("Init container 'wait-db' runs: -ContainerName wait-db debugs it.", said);
        Assert.Empty(_cluster.Patches);
    }

    [Fact]
    public async Task One_that_has_ended_is_not_taken_and_all_are_named_where_none_is_meant()
    {
        SetState(running: false, "wait-db", "poller");

        Assert.StartsWith(
            "TargetNotRunning,", (await _shell.FailAsync($"{Start} -ContainerName wait-db")).FullyQualifiedErrorId);
        Assert.Contains(
            "It has app, sidecar, poller (sidecar), wait-db (init).",
            (await _shell.FailAsync($"{Start} -ContainerName nope")).Exception.Message);
    }

    [Fact]
    public async Task They_are_no_choice_where_none_is_named()
    {
        _cluster.PodObject["spec"]!["containers"]!.AsArray().RemoveAt(1);

        PodDebugSession session = (PodDebugSession)Assert.Single(await _shell.RunAsync(Start)).BaseObject;

        Assert.Equal("app", session.ContainerName);
    }

    private void SetState(bool running, params string[] names)
    {
        JsonArray statuses = [];
        foreach (string name in names)
        {
            statuses.Add(new JsonObject
            {
                ["name"] = name,
                ["containerID"] = $"containerd://{name}",
                ["state"] = running ? FakeCluster.Running() : FakeCluster.Terminated("Completed", 0, ""),
            });
        }

        _cluster.PodObject["status"]!["initContainerStatuses"] = statuses;
    }
}
