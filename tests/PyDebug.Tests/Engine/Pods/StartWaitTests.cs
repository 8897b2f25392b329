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

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_image_without_python3_is_tried_with_python_and_then_named(bool ends)
    {
        _cluster.State = c => NotFound($"{c["command"]![0]}", ends);

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
    public async Task A_Python_beside_the_program_is_started_first_and_leaves_no_entry_that_failed()
    {
        _cluster.PodObject["spec"]!["containers"]![0]!["command"] = new JsonArray("/opt/conda/bin/service");
        DebugContainerInfo info = await StartAsync(_cluster.Request());
        Assert.Equal("/opt/conda/bin/python3", info.Python);
        Assert.Single(_cluster.Ephemeral);
        Assert.True((await StartAsync(_cluster.Request())).Reused);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_Python_off_the_search_path_is_found_by_the_program_that_runs(bool ends)
    {
        NeedsPath("/opt/app/bin", ends);
        _cluster.Exec = exec => exec.Request.Target.Contains("container=app&")
            ? SayAsync(exec, "/usr/bin/tini\n/opt/app/bin/python3.13\n/opt/app/bin/python3.13\n")
            : FakeCluster.ProbeAsync(exec);

        DebugContainerInfo info = await StartAsync(_cluster.Request());

        Assert.Equal("python3", info.Python);
        Assert.StartsWith("/opt/app/bin:", $"{_cluster.Ephemeral[^1]!["env"]!.AsArray().Single(IsPath)!["value"]}");
        DebugContainerInfo again = await StartAsync(_cluster.Request());
        Assert.True(again.Reused && again.IsOurs);
        Assert.Equal(info.Name, again.Name);
        Assert.Equal(["python3", "python3"], _cluster.Ephemeral.Select(c => $"{c!["command"]![0]}"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/usr/bin/python3.13\n")]
    [InlineData("/tmp/a:b/python3\nrelative/python3\n/opt/../tmp/python3\n/x y/python3\n")]
    public async Task Where_no_such_program_runs_the_image_is_named_and_a_path_of_the_users_is_tried(string said)
    {
        NeedsPath("/opt/app/bin");
        _cluster.Exec = exec => exec.Request.Target.Contains("container=app&")
            ? SayAsync(exec, said)
            : FakeCluster.ProbeAsync(exec);

        Assert.Equal(Causes.PythonNotInImage, (await FailsAsync(_cluster.Request())).Cause);
        Assert.Equal(2, _cluster.Ephemeral.Count);

        DebugContainerRequest named = _cluster.Request(environment: new() { ["PATH"] = "/opt/app/bin" });
        Assert.Equal("python3", (await StartAsync(named)).Python);
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
    [InlineData("{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}", Causes.PodDeleting)]
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

    /// <summary>An image whose Python is found with a search path of ours alone.</summary>
    private void NeedsPath(string folder, bool ends = true)
    {
        _cluster.PodObject["spec"]!["containers"]![0]!["command"] = null;
        _cluster.State = c => $"{c["env"]}".Contains($"\"{folder}", StringComparison.Ordinal)
            ? FakeCluster.Running()
            : NotFound($"{c["command"]![0]}", ends);
    }

    /// <summary>A container whose program is not there: it has ended or, by another runtime, waits.</summary>
    private static JsonObject NotFound(string program, bool ends)
    {
        string message = $"exec: \"{program}\": executable file not found in $PATH: unknown";
        return ends ? FakeCluster.Terminated("StartError", 128, message)
            : FakeCluster.Waiting("RunContainerError", message);
    }

    private static async Task SayAsync(FakeExec exec, string said)
    {
        await exec.SendOutputAsync(System.Text.Encoding.UTF8.GetBytes(said));
        await exec.SendStatusAsync();
        await exec.SendCloseAsync();
    }

    private static bool IsPath(JsonNode? variable) => $"{variable!["name"]}" == "PATH";

    private Task<DebugContainerInfo> StartAsync(DebugContainerRequest request)
        => _cluster.Gateway.StartDebugContainerAsync(request, TestContext.Current.CancellationToken);

    private Task<EngineException> FailsAsync(DebugContainerRequest request)
        => Assert.ThrowsAsync<EngineException>(() => StartAsync(request));
}
