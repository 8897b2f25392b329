using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>What real servers and kubelets say, and what becomes of it.</summary>
public sealed class ServerWordsTests : IDisposable
{
    private const string Policy =
        "pods \"web-0\" is forbidden: ValidatingAdmissionPolicy 'nocaps' with binding 'nocaps' denied request: Debug "
        + "containers may not add capabilities";

    // As a kubelet 1.36 with containerd 2.1 writes it, but for the program's length.
    private const string Killed =
        "command terminated with non-zero exit code: error executing command [python3 -I -S -B -c import sys,json,zlib,"
        + "importlib.machinery as M\\nr=sys.stdin.buffer.read\\nm=json.loads(zlib.decompress(r(4)))\\n  return m[n]], "
        + "exit code 137";

    private readonly FakeCluster _cluster = new();

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [InlineData(422, false)]
    [InlineData(403, false)]
    [InlineData(413, false)]
    [InlineData(422, true)]
    public async Task A_validating_admission_policy_is_admission(int code, bool custom)
    {
        _cluster.Refuse = r => r.Json.ToJsonString().Contains("SYS_PTRACE")
            ? FakeConnection.Status(code, "Invalid", Policy) : null;

        DebugContainerInfo info = await StartAsync(
            _cluster.Request(custom: custom ? "{\"workingDir\":\"/tmp\"}" : null));
        EngineException e = await Assert.ThrowsAsync<EngineException>(() => StartAsync(_cluster.Request(named: true)));

        Assert.Equal("Restricted", info.Profile);
        Assert.Equal(Causes.AdmissionDenied, e.Cause);
        Assert.Equal("Restricted", e.Detail["passes"]);
        Assert.Contains("denied request: Debug containers may not add capabilities.", e.Message);
    }

    [Theory]
    [InlineData(422, "Invalid", "ValidatingAdmissionPolicy 'noexec' with binding 'b' denied request: no exec here")]
    [InlineData(403, "Forbidden", "admission webhook \"x.example\" denied the request: no exec here")]
    public async Task A_policy_that_refuses_to_exec_is_admission_too(int code, string reason, string message)
    {
        Refuse(code, reason, message);

        EngineException e = await FailsAsync();

        Assert.Equal(Causes.AdmissionDenied, e.Cause);
        Assert.Equal("true", e.Detail["exec"]);
        Assert.EndsWith("no exec here.", e.Message);
    }

    [Theory]
    [InlineData(500, "error dialing backend: dial tcp 10.66.0.1:10250: connect: connection refused")]
    [InlineData(502, "error dialing backend: No agent available")]
    [InlineData(500, "dial tcp 10.66.0.1:10250: i/o timeout")]
    public async Task A_kubelet_that_is_away_is_told_as_that(int code, string message)
    {
        Refuse(code, "InternalError", message);

        EngineException e = await FailsAsync();

        Assert.Equal(Causes.NodeUnreachable, e.Cause);
        Assert.EndsWith(message + ".", e.Message);
        Assert.True(e.Retryable);
    }

    [Theory]
    [InlineData("container not found (\"pydebug-abcde\")")]
    [InlineData("container not created: not found")]
    [InlineData("failed to load task: task 4f3a9c not found: not found")]
    public async Task A_container_that_the_kubelet_does_not_find_is_gone_once_the_server_knows(string words)
    {
        Refuse(500, "InternalError", words);
        int looks = 0;
        Func<FakeRequest, FakeConnection, Task<bool>> refuse = _cluster.Before;
        _cluster.Before = (request, connection) =>
        {
            if (request.Method == "GET" && !request.IsExec && ++looks == 3)
            {
                _cluster.PodObject["status"]!["ephemeralContainerStatuses"]![0]!["state"] =
                    FakeCluster.Terminated("Error", 137, "");
            }

            return refuse(request, connection);
        };
        Add();

        EngineException e = await FailsAsync();

        Assert.Equal(Causes.DebugContainerGone, e.Cause);
    }

    [Fact]
    public async Task Of_a_pod_that_is_being_deleted_the_successor_is_named()
    {
        Add();
        Replace("web-77f5-abcde", "web-77f5-new00", "Running", "2026-01-01T00:00:09Z");
        _cluster.PodObject["metadata"]!["deletionTimestamp"] = "2026-01-01T00:00:00Z";
        _cluster.PodObject["metadata"]!["ownerReferences"] = Owner("rs-1");
        JsonObject ended = FakeCluster.Terminated("Error", 143, "");
        _cluster.PodObject["status"]!["containerStatuses"]![0]!["state"] = ended;
        _cluster.PodObject["status"]!["ephemeralContainerStatuses"]![0]!["state"] =
            FakeCluster.Terminated("Error", 137, "");
        Refuse(500, "InternalError", "container not found (\"pydebug-abcde\")");

        EngineException e = await FailsAsync();

        Assert.Equal(Causes.PodDeleting, e.Cause);
        Assert.Equal(
            "Pod 'shop/web-0' is being deleted, and container 'app' ended (Error, code 143, restart count 0).",
            e.Message);
        Assert.Equal("web-77f5-new00", e.Detail["successor"]);
    }

    [Theory]
    [InlineData("ReplicaSet", "web-77f5-new00")]
    [InlineData("StatefulSet", null)]
    public async Task Of_a_pod_that_is_gone_the_one_with_the_same_first_part_is_its_successor(string kind, string? next)
    {
        Add();
        Replace("web-77f5-abcde", "web-77f5-new00", "Running", "2026-01-01T00:00:09Z", kind);
        PodReference gone = new() { Namespace = "shop", Name = "web-77f5-abcde", Uid = "uid-1" };

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => RunAsync(gone));

        Assert.Equal(Causes.PodNotFound, e.Cause);
        Assert.Equal(next, e.Detail.GetValueOrDefault("successor"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_start_that_ends_is_explained_and_shows_no_program_of_ours(bool gone)
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            if (gone)
            {
                JsonNode status = _cluster.PodObject["status"]!;
                status["ephemeralContainerStatuses"]![0]!["state"] = FakeCluster.Terminated("Error", 137, "");
                status["containerStatuses"]![0]!["state"] = FakeCluster.Terminated("OOMKilled", 137, "");
            }

            await exec.SendStatusAsync(new JsonObject
            {
                ["status"] = "Failure",
                ["reason"] = "NonZeroExitCode",
                ["message"] = Killed,
                ["details"] = new JsonObject
                {
                    ["causes"] = new JsonArray(new JsonObject { ["reason"] = "ExitCode", ["message"] = "137" }),
                },
            }.ToJsonString());
            await exec.SendCloseAsync();
        };

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => StartAsync(_cluster.Request()));

        Assert.DoesNotContain("zlib", e.ToString() + e.ServerMessage + string.Concat(e.Detail.Values));
        if (gone)
        {
            Assert.Equal(Causes.TargetNotRunning, e.Cause);
            Assert.Contains("was OOMKilled (code 137", e.Message);
        }
        else
        {
            Assert.Equal("The agent did not start: it was killed (code 137).", e.Message);
            Assert.Equal("137", e.Detail[GoneDiagnosis.ExitCode]);
        }
    }

    [Theory]
    [InlineData(
        Killed,
        "command terminated with non-zero exit code: error executing command [python3 "
            + "(PyDebug's agent)], exit code 137")]
    [InlineData(
        "exec failed: [\"/usr/bin/python3\", \"-I\", \"-S\", \"-B\", \"-c\", \"import sys\\nm[n]\"]: EOF",
        "exec failed: [/usr/bin/python3 (PyDebug's agent)]: EOF")]
    [InlineData("could not run: import sys,json,zlib,importlib.machinery as M", "could not run: import")]
    [InlineData("container not found (\"x\")", "container not found (\"x\")")]
    public void The_agents_program_is_taken_out_of_a_kubelets_message(string said, string left)
        => Assert.Equal(left, ExecWords.WithoutProgram(said));

    [Theory]
    [InlineData("get")]
    [InlineData("create")]
    public async Task Both_verbs_on_exec_are_asked_for_before_an_entry_is_added(string missing)
    {
        _cluster.Before = async (request, connection) =>
        {
            if (!request.Path.EndsWith("/selfsubjectaccessreviews"))
            {
                return false;
            }

            JsonNode asked = request.Json["spec"]!["resourceAttributes"]!;
            bool exec = asked["subresource"]?.ToString() == "exec";
            JsonObject status = new() { ["allowed"] = !exec || asked["verb"]!.ToString() != missing };
            await connection.RespondAsync(201, new JsonObject { ["status"] = status });
            return true;
        };

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => StartAsync(_cluster.Request()));

        Assert.Equal(Causes.Forbidden, e.Cause);
        Assert.Contains($"the verb {missing} on pods/exec is missing", e.Message);
        Assert.Empty(_cluster.Patches);
    }

    [Fact]
    public async Task A_container_that_ends_again_and_again_is_told_with_its_code_and_count()
    {
        JsonNode status = _cluster.PodObject["status"]!["containerStatuses"]![0]!;
        status["state"] = FakeCluster.Waiting("CrashLoopBackOff", "back-off 40s restarting failed container=app.");
        status["lastState"] = FakeCluster.Terminated("Error", 3, "");
        status["restartCount"] = 5;

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => StartAsync(_cluster.Request()));

        Assert.Equal(Causes.TargetNotRunning, e.Cause);
        Assert.Equal("5", e.Detail["restarts"]);
        Assert.Equal(
            "Container 'app' of pod 'shop/web-0' is not running: it ended (Error, code 3, restart count 5); "
            + "CrashLoopBackOff, back-off 40s restarting failed container=app.",
            e.Message);
    }

    private static JsonArray Owner(string uid, string kind = "ReplicaSet")
        => new(new JsonObject { ["kind"] = kind, ["name"] = "web-77f5", ["uid"] = uid, ["controller"] = true });

    private void Replace(string old, string name, string phase, string created, string kind = "ReplicaSet")
    {
        JsonObject next = FakeCluster.NewPod();
        next["metadata"]!["name"] = name;
        next["metadata"]!["uid"] = "uid-2";
        next["metadata"]!["creationTimestamp"] = created;
        next["metadata"]!["ownerReferences"] = Owner("rs-1", kind);
        next["status"]!["phase"] = phase;
        Func<FakeRequest, FakeConnection, Task<bool>> before = _cluster.Before;
        _cluster.Before = async (request, connection) =>
        {
            if (request.Path == "/api/v1/namespaces/shop/pods")
            {
                await connection.RespondAsync(200, new JsonObject { ["items"] = new JsonArray(next.DeepClone()) });
                return true;
            }

            if (request.Path.Contains(old))
            {
                await connection.RespondAsync(404, FakeConnection.Status(
                    404, "NotFound", "gone", new JsonObject { ["kind"] = "pods", ["name"] = old }));
                return true;
            }

            return await before(request, connection);
        };
    }

    private void Refuse(int code, string reason, string message)
    {
        Func<FakeRequest, FakeConnection, Task<bool>> before = _cluster.Before;
        _cluster.Before = async (request, connection) =>
        {
            if (request.IsExec)
            {
                await connection.RespondAsync(code, FakeConnection.Status(code, reason, message));
                return true;
            }

            return await before(request, connection);
        };
    }

    private void Add() => _cluster.Add(
        new JsonObject { ["name"] = "pydebug-abcde", ["targetContainerName"] = "app" }, FakeCluster.Running());

    private Task<DebugContainerInfo> StartAsync(DebugContainerRequest request)
        => _cluster.Gateway.StartDebugContainerAsync(request, TestContext.Current.CancellationToken);

    private Task<AgentOutcome> RunAsync(PodReference pod) => _cluster.Gateway.RunAgentAsync(
        pod,
        "pydebug-abcde",
        "python3",
        new() { Op = "ping", Deadline = TimeSpan.FromSeconds(20) },
        (_, _) => ValueTask.CompletedTask,
        TestContext.Current.CancellationToken);

    private Task<EngineException> FailsAsync()
        => Assert.ThrowsAsync<EngineException>(() => RunAsync(_cluster.Pod));
}
