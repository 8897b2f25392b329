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

/// <summary>What would stop a question, and that nothing is changed by asking.</summary>
[Collection(nameof(EnvironmentCollection))]
public sealed class TestPodDebugTests : IDisposable
{
    private const string Test = "Test-PodDebug web-1 -Namespace shop @server";

    private readonly TempDirectory _directory = new();
    private readonly FakeCluster _cluster = new();
    private readonly FakeFleet _fleet;
    private readonly ModuleShell _shell;
    private readonly JsonObject _pod;

    public TestPodDebugTests()
    {
        _shell = new(_cluster);
        _fleet = new(_cluster);
        _pod = _fleet.Add("web-1");
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(TeamPolicy.Variable, null);
        _shell.Dispose();
        _cluster.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData("")]
    [InlineData("-For Stack, Time, Heap, PySpy, Memray")]
    [InlineData("-For Bpftrace -Image tools:1")]
    public async Task A_pod_that_can_be_debugged_fails_no_check_and_nothing_is_changed(string questions)
    {
        IReadOnlyList<PodDebugCheck> checks = await ChecksAsync($"{Test} {questions}");

        Assert.DoesNotContain(checks, c => c.Status == "Fail");
        Assert.Equal(
            ["Server", "Clock", "Permission", "Pod", "Node", "Policy", "Admission", "EarlierContainer",
                "SecurityContext",
                "Image", "Python", "Memory", "Cpu", "Probes"],
            checks.Select(c => c.Check).Distinct());
        Assert.All(checks, c => Assert.Equal(("shop", "web-1", "app"), (c.Namespace, c.PodName, c.ContainerName)));
        Assert.Equal(true, Assert.Single(await _shell.RunAsync($"{Test} {questions} -Quiet")).BaseObject);
        Assert.All(_cluster.Requests, AssertChangesNothing);
        Assert.Empty(_pod["spec"]!["ephemeralContainers"]!.AsArray());
    }

    [Theory]
    [InlineData("patch", "ephemeralcontainers", "Fail")]
    [InlineData("create", "exec", "Fail")]
    [InlineData("get", "exec", "Fail")]
    [InlineData("list", null, "Warning")]
    public async Task Each_permission_is_told_by_verb_and_resource(string verb, string? subresource, string status)
    {
        _fleet.Refuse = request => request.Path.EndsWith("/selfsubjectaccessreviews")
            ? Allowed(Attribute(request, "verb") != verb || Attribute(request, "subresource") != subresource)
            : null;

        PodDebugCheck check = Assert.Single(
            await ChecksAsync(Test), c => c.Check == "Permission" && c.Status != "Pass");

        string resource = subresource is null ? "pods" : $"pods/{subresource}";
        Assert.Equal(status, check.Status);
        Assert.StartsWith($"{verb} on {resource} in namespace 'shop' is missing", check.Detail);
        Assert.Contains($"resources: [{resource}], verbs: [{verb}]", check.Remedy);
    }

    [Fact]
    public async Task A_server_that_does_not_say_what_is_allowed_is_unknown()
    {
        _fleet.Refuse = request => request.Path.EndsWith("/selfsubjectaccessreviews")
            ? (404, FakeConnection.Status(404, "NotFound", "no"))
            : null;

        Assert.All(
            (await ChecksAsync(Test)).Where(c => c.Check == "Permission"), c => Assert.Equal("Unknown", c.Status));
    }

    [Theory]
    [InlineData("status.phase", "\"Pending\"", "", "Pod", "Fail", "is not running yet")]
    [InlineData("metadata.deletionTimestamp", "\"2026-11-20T10:00:00Z\"", "", "Pod", "Fail", "is being deleted")]
    [InlineData("metadata.annotations", "{\"kubernetes.io/config.mirror\":\"x\","
        + "\"kubectl.kubernetes.io/default-container\":\"app\"}",
        "", "Pod", "Fail", "static pod")]
    [InlineData("spec.os", "{\"name\":\"windows\"}", "", "Pod", "Fail", "runs on Windows")]
    [InlineData("spec.nodeName", "\"virtual-node-aci-linux\"", "", "Node", "Fail", "virtual node")]
    [InlineData("spec.nodeName", "\"fargate-ip-1\"", "", "Node", "Warning", "no SYS_PTRACE and no BPF")]
    [InlineData("spec.nodeSelector", "{\"kubernetes.io/arch\":\"s390x\"}", "", "Node", "Fail", "s390x")]
    [InlineData("spec.nodeSelector", "{\"kubernetes.io/arch\":\"amd64\"}", "", "Node", "Pass", "amd64")]
    [InlineData("spec.hostUsers", "false", "-For Bpftrace -Image t", "SecurityContext", "Fail", "hostUsers")]
    [InlineData("spec.hostUsers", "false", "-For Time", "SecurityContext", "Warning", "memory sampler")]
    [InlineData("spec.resources", "{\"limits\":{\"cpu\":\"100m\"}}", "", "Cpu", "Warning", "0.1 CPU")]
    [InlineData(
        "spec.resources", "{\"limits\":{\"memory\":\"64Mi\"}}", "-For Memray", "Memory", "Unknown", "is not known")]
    [InlineData("metadata.name", "\"web-1\"", "-For Bpftrace", "Image", "Fail", "no image was named")]
    [InlineData(
        "metadata.name", "\"web-1\"", "-Image other:1", "Image", "Unknown", "is pulled where the node has it not")]
    [InlineData("metadata.name", "\"web-1\"", "-Image other:1", "Python", "Unknown", "does not say")]
    [InlineData("metadata.name", "\"web-1\"", "-ImagePullPolicy Always", "Image", "Warning", "pulled again")]
    [InlineData("metadata.name", "\"web-1\"", "", "Python", "Pass", "/usr/bin/python3.13")]
    [InlineData("metadata.name", "\"web-1\"", "-ContainerName nope", "Pod", "Fail", "has no container 'nope'")]
    public async Task What_the_pod_says_is_judged(
        string path, string value, string parameters, string check, string status, string detail)
    {
        string[] parts = path.Split('.');
        _pod[parts[0]]![parts[1]] = JsonNode.Parse(value);

        PodDebugCheck found = Assert.Single(
            await ChecksAsync($"{Test} {parameters}"), c => c.Check == check && c.Status == status);

        Assert.Contains(detail, found.Detail);
        Assert.True(status != "Fail" || found.Remedy.Length > 0);
        Assert.Equal(status != "Fail", (await ChecksAsync($"{Test} {parameters}")).All(c => c.Status != "Fail"));
        Assert.All(_cluster.Requests, AssertChangesNothing);
    }

    [Fact]
    public async Task Admission_is_told_in_the_servers_words_with_the_profile_that_passes()
    {
        _fleet.Refuse = request => request.Method == "PATCH"
            && request.Json["spec"]!["ephemeralContainers"]![0]!["securityContext"]!["runAsNonRoot"]!.GetValue<bool>()
                == false
            ? (403, FakeConnection.Status(
                403, "Forbidden",
                "pods \"web-1\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true"))
            : null;

        IReadOnlyList<PodDebugCheck> named = await ChecksAsync($"{Test} -For Stack");
        IReadOnlyList<PodDebugCheck> free = await ChecksAsync(Test);

        PodDebugCheck refused = Assert.Single(named, c => c.Check == "Admission");
        Assert.Equal("Fail", refused.Status);
        Assert.Contains("violates PodSecurity \"restricted:latest\": runAsNonRoot != true", refused.Detail);
        Assert.StartsWith("-SecurityProfile Restricted in place of -For Stack passes it", refused.Remedy);
        Assert.Equal("Warning", Assert.Single(free, c => c.Check == "Admission").Status);
        Assert.Equal("Unknown", Assert.Single(free, c => c.Check == "SecurityContext").Status);
        Assert.All(_cluster.Requests, AssertChangesNothing);
    }

    [Fact]
    public async Task An_earlier_container_that_breaks_the_policy_for_ever_is_named()
    {
        _pod["spec"]!["ephemeralContainers"] = new JsonArray(new JsonObject { ["name"] = "old-one", ["image"] = "x" });
        _fleet.Refuse = request => request.Method == "PATCH"
            ? (403, FakeConnection.Status(
                403, "Forbidden", "pods \"web-1\" is forbidden: violates PodSecurity \"baseline:latest\": privileged "
                + "(container \"old-one\" must not set securityContext.privileged=true)"))
            : null;

        PodDebugCheck check = Assert.Single(await ChecksAsync(Test), c => c.Check == "EarlierContainer");

        Assert.Equal("Fail", check.Status);
        Assert.Contains("'old-one', which cannot be removed", check.Detail);
    }

    [Fact]
    public async Task Room_is_held_against_what_each_question_takes()
    {
        _pod["spec"]!["resources"] = JsonNode.Parse("""{"limits":{"memory":"64Mi"}}""");
        _fleet.Refuse = request => request.Path.StartsWith("/apis/metrics.k8s.io/")
            ? (200, JsonNode.Parse("""{"containers":[{"usage":{"memory":"44Mi"}}]}""")!.AsObject())
            : null;

        Dictionary<string, PodDebugCheck> memory = (await ChecksAsync($"{Test} -For Stack, Memray"))
            .Where(c => c.Check == "Memory").ToDictionary(c => c.For);

        Assert.Equal(("Pass", "Fail"), (memory["Stack"].Status, memory["Memray"].Status));
        Assert.Contains("44.0 MiB of 64.0 MiB are used", memory["Memray"].Detail);
    }

    [Theory]
    [InlineData(1, 1, "PySpy", "Warning")]
    [InlineData(1, 3, "PySpy", "Pass")]
    [InlineData(5, 1, "PySpy", "Pass")]
    [InlineData(1, 1, "Stack", "Pass")]
    public async Task Probes_are_read_against_the_pause_of_a_question(
        int timeout, int failures, string question, string status)
    {
        _pod["spec"]!["containers"]![0]!["livenessProbe"] = new JsonObject
        {
            ["timeoutSeconds"] = timeout, ["failureThreshold"] = failures,
        };

        Assert.Equal(
            status, Assert.Single(await ChecksAsync($"{Test} -For {question}"), c => c.Check == "Probes").Status);
    }

    [Fact]
    public async Task What_the_policy_file_forbids_fails_by_its_question()
    {
        Environment.SetEnvironmentVariable(
            TeamPolicy.Variable,
            _directory.Write("policy.json", """{"cmdlets":{"Get-MemrayReport":false},"requireReason":true}"""));

        List<PodDebugCheck> policy =
            [.. (await ChecksAsync($"{Test} -For Stack, Memray")).Where(c => c.Check == "Policy")];

        Assert.Equal(["Memray", ""], policy.Select(c => c.For));
        Assert.All(policy, c => Assert.Equal("Fail", c.Status));
        Assert.Contains("requireReason", policy[1].Detail);
        Assert.DoesNotContain(
            await ChecksAsync($"{Test} -For Stack -Reason x"), c => c.Check == "Policy" && c.Status == "Fail");
    }

    [Fact]
    public async Task A_pod_that_is_not_there_and_a_server_that_is_not_reached_are_checks_that_fail()
    {
        PodDebugCheck pod = Assert.Single(
            await ChecksAsync("Test-PodDebug nobody -Namespace shop @server"), c => c.Status == "Fail");
        Assert.Equal("Pod", pod.Check);
        Assert.Contains("There is no pod 'nobody'", pod.Detail);

        _fleet.Refuse = _ => (401, FakeConnection.Status(401, "Unauthorized", "Unauthorized"));
        PodDebugCheck server = Assert.Single(await ChecksAsync(Test));
        Assert.Equal(("Server", "Fail"), (server.Check, server.Status));
        Assert.StartsWith("Log in again", server.Remedy);
        Assert.Equal(false, Assert.Single(await _shell.RunAsync($"{Test} -Quiet")).BaseObject);
    }

    [Fact]
    public async Task Quiet_is_one_value_for_all_pods()
    {
        _fleet.Add("web-2", phase: "Pending");

        Assert.Equal(false, Assert.Single(
            await _shell.RunAsync("'web-1', 'web-2' | Test-PodDebug -n shop -Quiet @server")).BaseObject);
        Assert.Equal(true, Assert.Single(
            await _shell.RunAsync("'web-1', 'pod/web-1' | Test-PodDebug -n shop -Quiet @server")).BaseObject);
        Assert.Equal(false, Assert.Single(
            await _shell.RunAsync("'service/x' | Test-PodDebug -n shop -Quiet @server")).BaseObject);
        Assert.Single(_shell.Errors);
        Assert.Equal(false, Assert.Single(
            await _shell.RunAsync("Test-PodDebug -Deployment gone -n shop -Quiet @server")).BaseObject);
        Assert.Single(_shell.Errors);
    }

    [Fact]
    public async Task A_session_tells_of_its_node_too()
    {
        await _shell.RunAsync("$s = Start-PodDebug web-1 -Namespace shop @server");
        int before = _cluster.Requests.Count;
        JsonObject said = JsonNode.Parse(
            """
            {"kind":"examine","kernel":"6.1.0","machine":"x86_64","btf":false,"tracefs":false,"yama":1,
            "lockdown":"none",
             "userNamespace":false,"capabilities":["SYS_PTRACE"],"pythonCount":1,
             "pythons":[{"pid":1,"version":"3.13.5","implementation":"CPython","libc":"musl","readable":true}]}
            """)!.AsObject();
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            await exec.SendFrameAsync('R', said);
            await exec.FinishAsync();
        };

        IReadOnlyList<PodDebugCheck> checks = await ChecksAsync("$s | Test-PodDebug -For Time, Memray");

        Assert.Equal("Pass", One("Kernel").Status);
        Assert.Equal("Pass", One("Yama").Status);
        Assert.Equal("Pass", One("Access").Status);
        Assert.Equal(("Warning", "Time"), (One("Btf").Status, One("Btf").For));
        Assert.Equal(("Fail", "Memray"), (One("Libc").Status, One("Libc").For));
        Assert.Contains(checks, c => c.Check == "Python" && c.Detail == "CPython 3.13.5 in 1 process.");
        Assert.All(_cluster.Requests.Skip(before).Where(r => !r.IsExec), AssertChangesNothing);

        PodDebugCheck One(string name) => Assert.Single(checks, c => c.Check == name);
    }

    private static void AssertChangesNothing(FakeRequest request)
        => Assert.True(
            request.Method == "GET"
            || (request.Method == "PATCH" && request.Query["dryRun"] == "All")
            || (request.Method == "POST" && request.Path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
            $"{request.Method} {request.Target}");

    private static string? Attribute(FakeRequest request, string name)
        => request.Json["spec"]!["resourceAttributes"]![name]?.ToString();

    private static (int Code, JsonObject Body)? Allowed(bool allowed)
        => (201, new JsonObject { ["status"] = new JsonObject { ["allowed"] = allowed } });

    private async Task<IReadOnlyList<PodDebugCheck>> ChecksAsync(string script)
    {
        IReadOnlyList<PSObject> output = await _shell.RunAsync(script);
        Assert.Empty(_shell.Errors);
        return [.. output.Select(o => Assert.IsType<PodDebugCheck>(o.BaseObject))];
    }
}
