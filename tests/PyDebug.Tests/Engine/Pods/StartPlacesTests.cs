using System;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>Images for other machines, and nodes that start no debug containers.</summary>
public sealed class StartPlacesTests : IDisposable
{
    private const string NodePath = "/api/v1/nodes/node-a";

    private readonly FakeCluster _cluster = new();

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [InlineData("Error", 255, "exec /usr/bin/python3: exec format error", Causes.ContainerStartFailed)]
    [InlineData(
        "StartError", 128, "exec container process `/usr/bin/python3`: Exec format error", Causes.ContainerStartFailed)]
    [InlineData("RunContainerError", -1, "fork/exec /usr/bin/python3: exec format error", Causes.ContainerStartFailed)]
    [InlineData("ErrImagePull", -1, "no match for platform in manifest: not found", Causes.ImagePullFailed)]
    public async Task An_image_for_another_kind_of_machine_is_told_as_that(
        string reason, int code, string message, string cause)
    {
        _cluster.State = _ => code < 0 ? FakeCluster.Waiting(reason, message)
            : FakeCluster.Terminated(reason, code, message);

        EngineException e = await FailsAsync(_cluster.Request(image: "tools:arm"));

        Assert.Equal((cause, reason), (e.Cause, e.Reason));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.StartsWith(
            "The image has no program for this node's kind of machine", ErrorFactory.From(
                e, target: null).RecommendedAction);
        // Another Python of that image would fail the same, and each leaves an entry.
        Assert.Single(_cluster.Ephemeral);
    }

    [Fact]
    public async Task What_fails_otherwise_is_not_laid_to_the_machine()
    {
        _cluster.State = _ => FakeCluster.Waiting("ErrImagePull", "tools:9: not found");

        EngineException e = await FailsAsync(_cluster.Request(image: "tools:9"));

        Assert.DoesNotContain("machine", ErrorFactory.From(e, target: null).RecommendedAction);
    }

    [Theory]
    [InlineData("{\"metadata\":{\"labels\":{\"type\":\"virtual-kubelet\"}}}")]
    [InlineData("{\"spec\":{\"taints\":[{\"key\":\"virtual-kubelet.io/provider\",\"value\":\"azure\","
        + "\"effect\":\"NoSchedule\"}]}}")]
    public async Task A_pod_on_a_virtual_node_is_refused_before_anything_changes(string node)
    {
        Tolerate("virtual-kubelet.io/provider");
        AnswerNode(200, JsonNode.Parse(node)!.AsObject());

        EngineException e = await FailsAsync(_cluster.Request());

        Assert.Equal(Causes.EphemeralContainersUnsupported, e.Cause);
        Assert.Contains("virtual node 'node-a'", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("1.25", ErrorFactory.From(e, target: null).RecommendedAction);
        Assert.Equal((Phases.Start, RemoteStates.NotStarted), (e.Phase, e.RemoteState));
        Assert.DoesNotContain(_cluster.Requests, r => r.Method == "PATCH");
    }

    [Theory]
    [InlineData(200, null)]
    [InlineData(200, "virtual-kubelet.io/provider")]
    [InlineData(403, "virtual-kubelet.io/provider")]
    public async Task Where_a_node_is_none_or_may_not_be_read_the_container_is_started(int code, string? tolerated)
    {
        Tolerate(tolerated);
        AnswerNode(code, JsonNode.Parse("{\"metadata\":{\"labels\":{\"type\":\"large\"}}}")!.AsObject());

        Assert.Equal("Running", (await StartAsync(_cluster.Request())).State);
        Assert.Single(_cluster.Requests, r => r.Path == NodePath);
    }

    [Fact]
    public async Task Nobody_is_asked_for_the_node_of_a_pod_that_can_be_on_no_virtual_one()
    {
        Tolerate("node.kubernetes.io/not-ready");

        await StartAsync(_cluster.Request());

        Assert.DoesNotContain(_cluster.Requests, r => r.Path == NodePath);
    }

    [Fact]
    public async Task A_container_that_nothing_is_heard_of_may_be_on_a_virtual_node()
    {
        Tolerate("virtual-kubelet.io/provider");
        _cluster.Before = (request, _) =>
        {
            _cluster.PodObject["status"]!["ephemeralContainerStatuses"]!.AsArray().Clear();
            return Task.FromResult(false);
        };

        EngineException e = await FailsAsync(_cluster.Request(timeout: 1));

        Assert.Equal((Causes.StartTimeout, RemoteStates.MayBeRunning), (e.Cause, e.RemoteState));
        Assert.Contains("'node-a' may be a virtual node", ErrorFactory.From(e, target: null).RecommendedAction);
    }

    [Theory]
    [InlineData("the server could not find the requested resource")]
    [InlineData("ephemeral containers are disabled for this cluster")]
    public async Task A_server_without_ephemeral_containers_is_told_before_anything_changes(string message)
    {
        _cluster.Refuse = _ => FakeConnection.Status(404, "NotFound", message, new JsonObject());

        EngineException e = await FailsAsync(_cluster.Request());

        Assert.Equal(Causes.EphemeralContainersUnsupported, e.Cause);
        Assert.Equal("Kubernetes 1.25 or later is needed.", ErrorFactory.From(e, target: null).RecommendedAction);
        Assert.Empty(_cluster.Patches);
    }

    private void Tolerate(string? key)
    {
        JsonObject toleration = new() { ["operator"] = "Exists" };
        if (key is not null)
        {
            toleration["key"] = key;
        }

        _cluster.PodObject["spec"]!["tolerations"] = new JsonArray(toleration);
    }

    private void AnswerNode(int code, JsonObject node)
        => _cluster.Before = async (request, connection) =>
        {
            if (request.Path != NodePath)
            {
                return false;
            }

            await connection.RespondAsync(code, code == 200 ? node : FakeConnection.Status(code, "Forbidden", "no"));
            return true;
        };

    private Task<DebugContainerInfo> StartAsync(DebugContainerRequest request)
        => _cluster.Gateway.StartDebugContainerAsync(request, TestContext.Current.CancellationToken);

    private Task<EngineException> FailsAsync(DebugContainerRequest request)
        => Assert.ThrowsAsync<EngineException>(() => StartAsync(request));
}
