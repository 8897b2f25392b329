using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>Adding a debug container, or finding one.</summary>
public sealed class StartTests : IDisposable
{
    private const string General =
        "{\"capabilities\":{\"add\":[\"SYS_PTRACE\",\"CHOWN\",\"DAC_OVERRIDE\",\"KILL\",\"SETGID\",\"SETUID\","
        + "\"SYS_CHROOT\"],\"drop\":[\"ALL\"]},\"runAsUser\":0,\"runAsNonRoot\":false}";

    private const string PodSecurity =
        "pods \"web-0\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false "
        + "(container \"x\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities "
        + "(container \"x\" must set securityContext.capabilities.drop=[\"ALL\"]; x must not include \"SYS_PTRACE\"), "
        + "runAsNonRoot != true (pod or container \"x\" must set securityContext.runAsNonRoot=true)";

    private readonly FakeCluster _cluster = new();
    private readonly List<string> _warnings = [];

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public async Task Adds_one_container_bound_to_the_pods_uid_and_version()
    {
        DebugContainerInfo info = await StartAsync(_cluster.Request(environment: new() { ["A"] = "1" }));

        FakeRequest patch = Assert.Single(_cluster.Patches);
        Assert.Equal("application/strategic-merge-patch+json", patch.Headers["content-type"]);
        Assert.Equal("uid-1", patch.Json["metadata"]!["uid"]!.ToString());
        Assert.Equal("100", patch.Json["metadata"]!["resourceVersion"]!.ToString());
        JsonObject container = patch.Json["spec"]!["ephemeralContainers"]![0]!.AsObject();
        Assert.Equal("shop/web:3", container["image"]!.ToString());
        Assert.Equal("IfNotPresent", container["imagePullPolicy"]!.ToString());
        Assert.Equal("app", container["targetContainerName"]!.ToString());
        Assert.Equal(
            ["/usr/bin/python3.13", "-I", "-S", "-B", "-c", "keeper's boot"],
            container["command"]!.AsArray().Select(c => c!.ToString()));
        Assert.Equal("1", Variable(container, "A"));
        Assert.Equal("\"\"\"keeper\"\"\"\n\nimport a\n\n\ndef b():\n    pass\n", Variable(container, "PYDEBUG_KEEPER"));
        Assert.Equal(
            ("Running", "General", "app", false), (info.State, info.Profile, info.TargetContainer, info.Reused));
        Assert.Equal("aaaa", info.TargetContainerId);
        Assert.Matches("^pydebug-[a-z0-9]{5}$", info.Name);
    }

    [Theory]
    [InlineData("General", General)]
    [InlineData(
        "Trace",
        "{\"capabilities\":{\"add\":[\"SYS_PTRACE\",\"BPF\",\"PERFMON\",\"CHOWN\",\"DAC_OVERRIDE\",\"KILL\",\"SETGID\","
        + "\"SETUID\",\"SYS_CHROOT\"],\"drop\":[\"ALL\"]},\"runAsUser\":0,\"runAsNonRoot\":false}")]
    [InlineData(
        "NetAdmin",
        "{\"capabilities\":{\"add\":[\"NET_ADMIN\",\"NET_RAW\"]},\"runAsUser\":0,\"runAsNonRoot\":false}")]
    [InlineData("SysAdmin", "{\"privileged\":true,\"runAsUser\":0,\"runAsNonRoot\":false}")]
    [InlineData("Baseline", null)]
    [InlineData(
        "Restricted",
        "{\"allowPrivilegeEscalation\":false,\"capabilities\":{\"drop\":[\"ALL\"]},\"runAsNonRoot\":true,"
        + "\"seccompProfile\":{\"type\":\"RuntimeDefault\"},\"runAsUser\":10001,\"runAsGroup\":10002}")]
    public async Task Every_profile_has_its_security_context(string profile, string? expected)
    {
        await StartAsync(_cluster.Request(profile, named: true, image: "tools:1"));

        JsonNode? actual = Assert.Single(_cluster.Patches).Json["spec"]!["ephemeralContainers"]![0]!["securityContext"];
        JsonNode? wanted = expected is null ? null : JsonNode.Parse(expected);
        Assert.True(JsonNode.DeepEquals(wanted, actual), actual?.ToJsonString());
    }

    [Fact]
    public async Task A_second_start_takes_the_first_container()
    {
        DebugContainerInfo first = await StartAsync(_cluster.Request());
        DebugContainerInfo second = await StartAsync(_cluster.Request());

        Assert.Equal(first.Name, second.Name);
        Assert.True(second.Reused);
        Assert.Single(_cluster.Patches);
    }

    [Theory]
    [InlineData("force")]
    [InlineData("image")]
    [InlineData("profile")]
    [InlineData("environment")]
    [InlineData("custom")]
    public async Task Another_wish_gets_another_container(string difference)
    {
        await StartAsync(_cluster.Request());
        DebugContainerInfo second = await StartAsync(difference switch
        {
            "force" => _cluster.Request(force: true),
            "image" => _cluster.Request(image: "tools:1"),
            "profile" => _cluster.Request("Trace", named: true),
            "environment" => _cluster.Request(environment: new() { ["A"] = "2" }),
            _ => _cluster.Request(custom: "{\"workingDir\":\"/tmp\"}"),
        });

        Assert.False(second.Reused);
        Assert.Equal(2, _cluster.Patches.Count);
    }

    [Fact]
    public async Task One_with_less_time_left_than_needed_is_not_taken()
    {
        _cluster.Add(Ours("pydebug-old00", DateTime.UtcNow.AddHours(-11.99)), FakeCluster.Running());

        DebugContainerInfo info = await StartAsync(_cluster.Request());

        Assert.NotEqual("pydebug-old00", info.Name);
    }

    [Fact]
    public async Task One_that_may_end_soon_is_used_once_before_it_is_handed_over()
    {
        DateTime then = DateTime.UtcNow.AddMinutes(-50);
        _cluster.Add(Ours("pydebug-idle0", then), FakeCluster.Running(then));

        DebugContainerInfo info = await StartAsync(_cluster.Request());

        Assert.Equal("pydebug-idle0", info.Name);
        Assert.Single(_cluster.Requests, r => r.IsExec);
    }

    [Fact]
    public async Task Two_starts_at_once_make_one_container()
    {
        SemaphoreSlim both = new(0);
        int waiting = 0;
        _cluster.Before = async (request, _) =>
        {
            // Both have looked at the pod before either changes it.
            if (request.Method == "PATCH" && !request.Target.Contains("dryRun") && waiting < 2)
            {
                if (Interlocked.Increment(ref waiting) == 2)
                {
                    both.Release(2);
                }

                await both.WaitAsync(TimeSpan.FromSeconds(5));
            }

            return false;
        };

        DebugContainerInfo[] infos = await Task.WhenAll(
            StartAsync(_cluster.Request()), StartAsync(_cluster.Request()));

        Assert.Equal(infos[0].Name, infos[1].Name);
        Assert.Single(_cluster.Ephemeral);
    }

    [Fact]
    public async Task A_pod_that_changes_all_the_time_gets_its_container_still()
    {
        int refused = 0;
        _cluster.Refuse = request =>
        {
            if (!request.Target.Contains("dryRun") && refused < 3)
            {
                refused++;
                return FakeConnection.Status(409, "Conflict", "the object has been modified");
            }

            return null;
        };

        await StartAsync(_cluster.Request());

        Assert.Single(_cluster.Ephemeral);
    }

    [Fact]
    public async Task A_patch_whose_answer_is_lost_is_not_made_twice()
    {
        int cut = 0;
        _cluster.Before = async (request, connection) =>
        {
            if (request.Method == "PATCH" && !request.Target.Contains("dryRun") && Interlocked.Increment(ref cut) == 1)
            {
                _cluster.Add(request.Json["spec"]!["ephemeralContainers"]![0]!.AsObject(), FakeCluster.Running());
                connection.Reset();
                return true;
            }

            return await Task.FromResult(false);
        };

        await StartAsync(_cluster.Request());

        Assert.Single(_cluster.Ephemeral);
        Assert.Equal(1, cut);
    }

    [Fact]
    public async Task Without_a_named_profile_admission_decides_by_dry_run()
    {
        _cluster.Refuse = r => r.Json.ToJsonString().Contains("SYS_PTRACE")
            ? FakeConnection.Status(403, "Forbidden", PodSecurity) : null;

        DebugContainerInfo info = await StartAsync(_cluster.Request(warnings: _warnings));

        Assert.Equal("Restricted", info.Profile);
        Assert.Equal(2, _cluster.DryRuns.Count);
        Assert.Single(_cluster.Patches);
        Assert.Equal(
            "Pod security 'restricted' of namespace 'shop' refuses profile General (allowPrivilegeEscalation, "
            + "unrestricted capabilities, runAsNonRoot). Profile Restricted is used: as the application's "
            + "user, without privileges.",
            Assert.Single(_warnings));

        DebugContainerInfo again = await StartAsync(_cluster.Request());
        Assert.Equal(info.Name, again.Name);
    }

    [Fact]
    public async Task A_named_profile_is_never_replaced()
    {
        _cluster.Refuse = r => r.Json.ToJsonString().Contains("SYS_PTRACE")
            ? FakeConnection.Status(403, "Forbidden", PodSecurity) : null;

        EngineException e = await FailsAsync(_cluster.Request(named: true));

        Assert.Equal(Causes.AdmissionDenied, e.Cause);
        Assert.Equal(
            "Pod security 'restricted' of namespace 'shop' refuses profile General: allowPrivilegeEscalation, "
            + "unrestricted capabilities, runAsNonRoot.",
            e.Message);
        Assert.Equal("Restricted", e.Detail["passes"]);
        Assert.Equal(PodSecurity, e.ServerMessage);
        Assert.Empty(_cluster.Patches);
    }

    [Fact]
    public async Task Restricted_without_a_known_user_is_refused_before_anything_changes()
    {
        _cluster.PodObject["status"]!["containerStatuses"]![0]!.AsObject().Remove("user");

        EngineException e = await FailsAsync(_cluster.Request("Restricted", named: true));

        Assert.Equal(Causes.UserUnknown, e.Cause);
        Assert.DoesNotContain(_cluster.Requests, r => r.Method == "PATCH");
    }

    [Theory]
    [InlineData(
        403,
        "pods \"web-0\" is forbidden: User \"ci\" cannot patch resource \"pods/ephemeralcontainers\" in API group \"\"",
        Causes.EphemeralContainersForbidden)]
    [InlineData(403, "admission webhook \"deny.example\" denied the request: not here", Causes.AdmissionDenied)]
    [InlineData(400, "admission webhook \"deny.example\" denied the request: not here", Causes.AdmissionDenied)]
    [InlineData(404, "the server could not find the requested resource", Causes.EphemeralContainersUnsupported)]
    [InlineData(422, "Pod \"web-0\" is invalid: metadata.uid: Invalid value: field is immutable", Causes.PodReplaced)]
    [InlineData(422, "Pod \"web-0\" is invalid: static pods do not support ephemeral containers", Causes.StaticPod)]
    [InlineData(422, "Pod \"web-0\" is invalid: spec.ephemeralContainers[0].x", Causes.RequestFailed)]
    public async Task A_refused_patch_has_its_cause(int code, string message, string cause)
    {
        _cluster.Refuse = _ => FakeConnection.Status(code, "X", message, new JsonObject());

        EngineException e = await FailsAsync(_cluster.Request());

        Assert.Equal(cause, e.Cause);
        Assert.Equal(message, e.ServerMessage);
        Assert.Empty(_cluster.Ephemeral);
    }

    [Fact]
    public async Task A_dry_run_changes_nothing()
    {
        DebugContainerInfo info = await StartAsync(_cluster.Request(dryRun: true));

        Assert.Equal("General", info.Profile);
        Assert.Single(_cluster.DryRuns);
        Assert.Empty(_cluster.Patches);
    }

    [Fact]
    public async Task A_target_that_cannot_be_seen_is_an_error()
    {
        _cluster.Exec = async exec =>
        {
            JsonObject question = await exec.BootAsync();
            Assert.Equal("aaaa", question["container"]!.ToString());
            await exec.HelloAsync();
            await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "probe", ["targetVisible"] = false });
            await exec.FinishAsync();
        };

        Assert.Equal(Causes.TargetNotVisible, (await FailsAsync(_cluster.Request())).Cause);
    }

    [Fact]
    public async Task Without_permission_to_exec_nothing_is_added()
    {
        _cluster.Before = async (request, connection) =>
        {
            bool review = request.Path.EndsWith("/selfsubjectaccessreviews");
            if (review)
            {
                JsonObject status = new() { ["allowed"] = false };
                await connection.RespondAsync(201, new JsonObject { ["status"] = status });
            }

            return review;
        };

        Assert.Equal(Causes.Forbidden, (await FailsAsync(_cluster.Request())).Cause);
        Assert.Empty(_cluster.Patches);
    }

    [Theory]
    [InlineData(-180)]
    [InlineData(10)]
    [InlineData(180)]
    public async Task The_mark_has_the_servers_time_however_wrong_this_machines_clock_is(int minutes)
    {
        TimeSpan ahead = TimeSpan.FromMinutes(minutes);
        _cluster.Ahead = ahead;

        DebugContainerInfo made = await StartAsync(_cluster.Request());
        DebugContainerInfo again = await StartAsync(_cluster.Request());

        Assert.InRange(
            (made.Created - DateTime.UtcNow - ahead)!.Value, TimeSpan.FromMinutes(-3), TimeSpan.FromMinutes(3));
        Assert.Equal((made.Name, true), (again.Name, again.Reused));
    }

    private JsonObject Ours(string name, DateTime created) => new()
    {
        ["name"] = name,
        ["image"] = "shop/web:3",
        ["command"] = new JsonArray("/usr/bin/python3.13", "-I", "-S", "-B", "-c", _cluster.Keeper.Command),
        ["targetContainerName"] = "app",
        ["securityContext"] = JsonNode.Parse(General),
        ["env"] = new JsonArray(new JsonObject
        {
            ["name"] = SessionMark.Variable,
            ["value"] = new SessionMark
            {
                Target = "app",
                Profile = "General",
                Created = created,
                Spec = SessionMark.SpecOf(null, new Dictionary<string, string>()),
            }.ToString(),
        }, new JsonObject { ["name"] = KeeperProgram.Variable, ["value"] = _cluster.Keeper.Text }),
    };

    private static string Variable(JsonObject container, string name)
        => container["env"]!.AsArray().Single(e => e!["name"]!.ToString() == name)!["value"]!.ToString();

    private Task<DebugContainerInfo> StartAsync(DebugContainerRequest request)
        => _cluster.Gateway.StartDebugContainerAsync(request, TestContext.Current.CancellationToken);

    private Task<EngineException> FailsAsync(DebugContainerRequest request)
        => Assert.ThrowsAsync<EngineException>(() => StartAsync(request));
}
