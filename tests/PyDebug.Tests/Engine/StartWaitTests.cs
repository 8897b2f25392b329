using System;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>A debug container that does not start, and pods that can have none.</summary>
public sealed class StartWaitTests : IDisposable
{
    private readonly FakeCluster _cluster = new();

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [InlineData("InvalidImageName", "couldn't parse image name", Causes.ImagePullFailed)]
    [InlineData("ErrImageNeverPull", "image is not present with pull policy of Never", Causes.ImagePullFailed)]
    [InlineData("ErrImagePull", "rpc error: code = NotFound desc = tools:9: not found", Causes.ImagePullFailed)]
    [InlineData("ImagePullBackOff", "Back-off pulling image: unauthorized", Causes.ImagePullFailed)]
    [InlineData("CreateContainerConfigError", "secret \"x\" not found", Causes.ContainerStartFailed)]
    [InlineData(
        "CreateContainerConfigError",
        "container has runAsNonRoot and image has non-numeric user (app)",
        Causes.UserUnknown)]
    [InlineData("CreateContainerError", "context deadline exceeded", Causes.ContainerStartFailed)]
    [InlineData("RunContainerError", "failed to create shim task", Causes.ContainerStartFailed)]
    public async Task A_reason_that_is_final_fails_with_its_words_and_the_last_event(
        string reason, string message, string cause)
    {
        _cluster.State = _ => FakeCluster.Waiting(reason, message);
        _cluster.Events.Add(new JsonObject
        {
            ["reason"] = "Failed", ["message"] = "Error: the older one", ["lastTimestamp"] = "2026-01-01T00:00:00Z",
        });
        _cluster.Events.Add(new JsonObject
        {
            ["type"] = "Warning",
            ["reason"] = "Failed",
            ["message"] = "Error: it went wrong",
            ["lastTimestamp"] = "2026-01-01T00:00:05Z",
        });
        _cluster.Events.Add(new JsonObject
        {
            ["type"] = "Normal",
            ["reason"] = "Pulling",
            ["message"] = "Pulling it again",
            ["lastTimestamp"] = "2026-01-01T00:00:09Z",
        });

        EngineException e = await FailsAsync(_cluster.Request());

        Assert.Equal(cause, e.Cause);
        Assert.Equal(reason, e.Reason);
        Assert.Contains(message, e.Message);
        Assert.Contains("last event: Failed: Error: it went wrong", e.Message);
        Assert.Equal("Failed: Error: it went wrong", e.Detail["event"]);
    }

    [Fact]
    public async Task A_pull_that_failed_once_may_succeed_the_second_time()
    {
        int looks = 0;
        _cluster.State = _ => FakeCluster.Waiting("ErrImagePull", "i/o timeout");
        _cluster.Before = (request, _) =>
        {
            if (request.Method == "GET" && _cluster.Ephemeral.Count == 1 && ++looks == 4)
            {
                _cluster.PodObject["status"]!["ephemeralContainerStatuses"]![0]!["state"] = FakeCluster.Running();
            }

            return Task.FromResult(false);
        };

        Assert.Equal("Running", (await StartAsync(_cluster.Request())).State);
    }

    [Fact]
    public async Task The_second_failed_pull_is_final()
    {
        int looks = 0;
        _cluster.State = _ => FakeCluster.Waiting("ErrImagePull", "i/o timeout");
        _cluster.Before = (request, _) =>
        {
            if (request.Method == "GET" && _cluster.Ephemeral.Count == 1)
            {
                _cluster.PodObject["status"]!["ephemeralContainerStatuses"]![0]!["state"] =
                    FakeCluster.Waiting(++looks % 2 == 0 ? "ImagePullBackOff" : "ErrImagePull", "i/o timeout");
            }

            return Task.FromResult(false);
        };

        Assert.Equal(Causes.ImagePullFailed, (await FailsAsync(_cluster.Request())).Cause);
    }

    [Fact]
    public async Task A_start_that_takes_too_long_says_what_was_seen()
    {
        _cluster.State = _ => FakeCluster.Waiting("ContainerCreating");

        EngineException e = await FailsAsync(_cluster.Request(timeout: 2));

        Assert.Equal(Causes.StartTimeout, e.Cause);
        Assert.Contains("ContainerCreating", e.Message);
    }

    [Fact]
    public async Task A_start_that_takes_too_long_for_want_of_its_image_is_a_failed_pull()
    {
        _cluster.State = _ => FakeCluster.Waiting("ErrImagePull", "i/o timeout");

        EngineException e = await FailsAsync(_cluster.Request(timeout: 2));

        Assert.Equal(Causes.ImagePullFailed, e.Cause);
        Assert.Equal("ErrImagePull", e.Reason);
        Assert.Contains("i/o timeout", e.Message);
    }

    [Fact]
    public async Task An_image_without_python3_is_tried_with_python_and_then_named()
    {
        _cluster.State = c => FakeCluster.Terminated(
            "StartError", 128, $"exec: \"{c["command"]![0]}\": executable file not found in $PATH: unknown");

        EngineException e = await FailsAsync(_cluster.Request(image: "busybox:1"));

        Assert.Equal(Causes.PythonNotInImage, e.Cause);
        Assert.Equal("busybox:1", e.Detail["image"]);
        Assert.Equal(["python3", "python"], _cluster.Ephemeral.Select(c => c!["command"]![0]!.ToString()));

        await FailsAsync(_cluster.Request(image: "busybox:1"));
        Assert.Equal(2, _cluster.Ephemeral.Count);
    }

    [Fact]
    public async Task Python_is_used_where_there_is_no_python3()
    {
        _cluster.PodObject["spec"]!["containers"]![0]!["command"] = new JsonArray("/entry");
        _cluster.State = c => c["command"]![0]!.ToString() == "python"
            ? FakeCluster.Running()
            : FakeCluster.Terminated("StartError", 128, "exec: \"python3\": executable file not found in $PATH");

        Assert.Equal("python", (await StartAsync(_cluster.Request())).Python);
    }

    [Fact]
    public async Task One_that_ends_at_once_is_told_with_its_code_and_words()
    {
        _cluster.State = _ => FakeCluster.Terminated("Error", 1, "exec format error");

        EngineException e = await FailsAsync(_cluster.Request());

        Assert.Equal(Causes.ContainerStartFailed, e.Cause);
        Assert.Contains("code 1: exec format error", e.Message);
    }

    [Fact]
    public async Task One_that_waits_for_its_image_is_left_alone_where_another_pull_policy_is_named()
    {
        _cluster.State = _ => FakeCluster.Waiting("ErrImageNeverPull", "not on the node");
        await FailsAsync(_cluster.Request(image: "tools:9", pullPolicy: "Never"));
        await FailsAsync(_cluster.Request(image: "tools:9"));
        Assert.Single(_cluster.Ephemeral);

        await FailsAsync(_cluster.Request(image: "tools:9", pullPolicy: "Always"));

        Assert.Equal(["Never", "Always"], _cluster.Ephemeral.Select(c => $"{c!["imagePullPolicy"]}"));
    }

    [Fact]
    public async Task A_target_that_restarts_meanwhile_is_noticed()
    {
        _cluster.State = _ => FakeCluster.Waiting("ContainerCreating");
        _cluster.Before = (request, _) =>
        {
            if (request.Method == "GET" && _cluster.Ephemeral.Count == 1)
            {
                _cluster.PodObject["status"]!["containerStatuses"]![0]!["containerID"] = "containerd://cccc";
            }

            return Task.FromResult(false);
        };

        Assert.Equal(Causes.TargetRestarted, (await FailsAsync(_cluster.Request())).Cause);
    }

    [Fact]
    public async Task A_pod_replaced_before_or_during_the_start_is_noticed()
    {
        _cluster.PodObject["metadata"]!["uid"] = "uid-2";
        Assert.Equal(Causes.PodReplaced, (await FailsAsync(_cluster.Request())).Cause);
        Assert.DoesNotContain(_cluster.Requests, r => r.Method == "PATCH");

        _cluster.PodObject = FakeCluster.NewPod();
        _cluster.State = _ => FakeCluster.Waiting("ContainerCreating");
        _cluster.Before = (request, _) =>
        {
            if (request.Method == "GET" && _cluster.Ephemeral.Count == 1)
            {
                _cluster.PodObject = FakeCluster.NewPod();
                _cluster.PodObject["metadata"]!["uid"] = "uid-3";
            }

            return Task.FromResult(false);
        };
        Assert.Equal(Causes.PodReplaced, (await FailsAsync(_cluster.Request())).Cause);
    }

    [Theory]
    [InlineData("{\"spec\":{\"os\":{\"name\":\"windows\"}}}", Causes.PodIsWindows)]
    [InlineData("{\"spec\":{\"nodeSelector\":{\"kubernetes.io/os\":\"windows\"}}}", Causes.PodIsWindows)]
    [InlineData("{\"metadata\":{\"annotations\":{\"kubernetes.io/config.mirror\":\"x\"}}}", Causes.StaticPod)]
    [InlineData("{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}", Causes.PodNotRunning)]
    [InlineData("{\"status\":{\"phase\":\"Pending\"}}", Causes.PodNotRunning)]
    [InlineData("{\"status\":{\"phase\":\"Succeeded\"}}", Causes.PodFinished)]
    [InlineData("{\"status\":{\"containerStatuses\":[]}}", Causes.TargetNotRunning)]
    [InlineData("{\"spec\":{\"containers\":[{\"name\":\"other\",\"image\":\"i\"}]}}", Causes.ContainerNotFound)]
    public async Task Pods_that_can_have_none_are_refused_before_anything_changes(string change, string cause)
    {
        CustomContainer.Merge(_cluster.PodObject, JsonNode.Parse(change)!.AsObject());

        Assert.Equal(cause, (await FailsAsync(_cluster.Request())).Cause);
        Assert.DoesNotContain(_cluster.Requests, r => r.Method == "PATCH");
    }

    [Fact]
    public async Task Cancelling_ends_the_wait_at_once()
    {
        _cluster.State = _ => FakeCluster.Waiting("ContainerCreating");
        using System.Threading.CancellationTokenSource cancel = new(TimeSpan.FromSeconds(1));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _cluster.Gateway.StartDebugContainerAsync(_cluster.Request(timeout: 60), cancel.Token)
                .WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
    }

    private Task<DebugContainerInfo> StartAsync(DebugContainerRequest request)
        => _cluster.Gateway.StartDebugContainerAsync(request, TestContext.Current.CancellationToken);

    private Task<EngineException> FailsAsync(DebugContainerRequest request)
        => Assert.ThrowsAsync<EngineException>(() => StartAsync(request));
}
