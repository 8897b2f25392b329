using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>Which debug container is taken for one of ours, and what it is shown as.</summary>
public sealed class RecognitionTests : IDisposable
{
    private readonly FakeCluster _cluster = new();
    private readonly List<string> _warnings = [];

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public async Task A_mirror_makes_no_difference_and_is_told_once_each_time()
    {
        _cluster.Admit = c => c["image"] = "mirror.test/" + c["image"];

        DebugContainerInfo first = await StartAsync(_cluster.Request(warnings: _warnings));
        DebugContainerInfo second = await StartAsync(_cluster.Request(warnings: _warnings));
        DebugContainerInfo third = await StartAsync(_cluster.Request(warnings: _warnings));

        Assert.Equal((first.Name, first.Name), (second.Name, third.Name));
        Assert.Single(_cluster.Ephemeral);
        Assert.Equal("mirror.test/shop/web:3", third.Image);
        Assert.Equal(3, _warnings.Count);
        Assert.All(_warnings, w => Assert.Equal(
            "The cluster changes the debug container that is asked for: image mirror.test/shop/web:3 (not shop/web:3). "
            + "It is used as it is.",
            w));
    }

    [Fact]
    public async Task A_policy_that_takes_rights_away_makes_no_second_container_and_no_claim_to_them()
    {
        _cluster.Admit = c =>
        {
            c["securityContext"]!["runAsUser"] = 10001;
            c["securityContext"]!["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") };
        };

        await StartAsync(_cluster.Request(warnings: _warnings));
        DebugContainerInfo info = await StartAsync(_cluster.Request());

        Assert.Single(_cluster.Ephemeral);
        Assert.True(info.Reused);
        Assert.Equal(("Restricted", 10001L), (info.Profile, info.User));
        Assert.Contains("runAsUser 10001 (not 0)", Assert.Single(_warnings));
    }

    [Theory]
    [InlineData("image", "\"evil:1\"")]
    [InlineData("command", """["/tmp/python3","-I","-S","-B","-c","KEEPER"]""")]
    [InlineData("command", """["/usr/bin/python3.13","-c","KEEPER"]""")]
    [InlineData("command", """["/usr/bin/python3.13","-I","-S","-B","-c","import evil\nKEEPER"]""")]
    [InlineData("command", "[]")]
    [InlineData("args", """["more"]""")]
    [InlineData("securityContext", """{"privileged":true}""")]
    [InlineData("securityContext", "null")]
    [InlineData("workingDir", "\"/tmp/evil\"")]
    [InlineData("volumeMounts", """[{"name":"v","mountPath":"/usr/lib/python3.13"}]""")]
    [InlineData("envFrom", """[{"configMapRef":{"name":"evil"}}]""")]
    [InlineData("targetContainerName", "\"sidecar\"")]
    [InlineData("env", """[{"name":"LD_PRELOAD","value":"/tmp/evil.so"}]""")]
    [InlineData("env", """[{"name":"PYDEBUG_KEEPER","value":"import evil"}]""")]
    public async Task One_that_somebody_put_under_our_mark_is_not_taken(string field, string value)
    {
        DebugContainerInfo honest = await StartAsync(_cluster.Request());
        JsonObject planted = _cluster.Ephemeral[0]!.DeepClone().AsObject();
        planted["name"] = "pydebug-evil0";
        JsonNode? content = JsonNode.Parse(value.Replace(
            "KEEPER", JsonEncodedText.Encode(_cluster.Keeper.Command).ToString(), StringComparison.Ordinal));
        if (field == "env")
        {
            planted["env"]!.AsArray().Add(content![0]!.DeepClone());
        }
        else
        {
            planted[field] = content;
        }

        _cluster.Ephemeral.Clear();
        _cluster.PodObject["status"]!["ephemeralContainerStatuses"]!.AsArray().Clear();
        _cluster.Add(planted, FakeCluster.Running());
        _cluster.Touch();

        DebugContainerInfo info = await StartAsync(_cluster.Request());

        Assert.NotEqual("pydebug-evil0", info.Name);
        Assert.False(info.Reused);
        Assert.NotEqual(honest.Name, info.Name);
        Assert.Equal(2, _cluster.Ephemeral.Count);
    }

    [Theory]
    [InlineData("import evil")]
    [InlineData(null)]
    public async Task One_whose_program_is_another_is_not_taken(string? program)
    {
        await StartAsync(_cluster.Request());
        JsonArray variables = _cluster.Ephemeral[0]!["env"]!.AsArray();
        JsonObject own = variables.OfType<JsonObject>().Single(e => KubeJson.Text(e, "name") == KeeperProgram.Variable);
        Assert.Equal(_cluster.Keeper.Text, KubeJson.Text(own, "value"));
        variables.Remove(own);
        if (program is not null)
        {
            own["value"] = program;
            variables.Add(own);
        }

        _cluster.Touch();

        PodInfo pod = PodParser.Parse(_cluster.PodObject);
        DebugContainerInfo listed = Assert.Single(_cluster.Gateway.FindDebugContainers(pod));
        DebugContainerInfo info = await StartAsync(_cluster.Request());

        Assert.False(listed.IsOurs);
        Assert.False(info.Reused);
    }

    [Fact]
    public async Task One_whose_interpreter_is_the_other_candidate_is_taken()
    {
        _cluster.PodObject["spec"]!["containers"]![0]!["command"] = new JsonArray("/entry");
        await StartAsync(_cluster.Request());
        _cluster.Ephemeral[0]!["command"]![0] = "python";
        _cluster.Touch();

        DebugContainerInfo info = await StartAsync(_cluster.Request());

        Assert.True(info.Reused);
        Assert.Equal("python", info.Python);
    }

    [Fact]
    public async Task Variables_that_the_cluster_adds_to_each_make_no_difference()
    {
        _cluster.Admit = c => c["env"]!.AsArray().Add(new JsonObject { ["name"] = "TEAM", ["value"] = "blue" });

        await StartAsync(_cluster.Request(warnings: _warnings));

        Assert.True((await StartAsync(_cluster.Request())).Reused);
        Assert.Empty(_warnings);
    }

    [Fact]
    public async Task One_of_another_version_is_listed_and_not_known_as_ours()
    {
        await StartAsync(_cluster.Request());
        _cluster.Ephemeral[0]!["command"]![5] = "another keeper";

        PodInfo pod = await _cluster.Gateway.GetPodAsync("shop", "web-0", TestContext.Current.CancellationToken);

        Assert.False(Assert.Single(_cluster.Gateway.FindDebugContainers(pod)).IsOurs);
    }

    [Theory]
    [InlineData("SysAdmin", null)]
    [InlineData("General", """{"securityContext":{"privileged":true}}""")]
    [InlineData("General", """{"securityContext":{"capabilities":{"add":["SYS_ADMIN"]}}}""")]
    [InlineData("General", """{"securityContext":{"capabilities":{"add":["CAP_SYS_MODULE"]}}}""")]
    [InlineData("Baseline", """{"securityContext":{"capabilities":{"add":["all"]}}}""")]
    public async Task A_privileged_one_is_not_made_of_an_image_that_nobody_named(string profile, string? custom)
    {
        EngineException e = await Assert.ThrowsAsync<EngineException>(
            () => StartAsync(_cluster.Request(profile, named: true, custom: custom)));

        Assert.Equal(Causes.ImageNotNamed, e.Cause);
        Assert.Contains("node-a", e.Message);
        Assert.DoesNotContain(_cluster.Requests, r => r.Method != "GET");

        DebugContainerInfo info = await StartAsync(
            _cluster.Request(profile, named: true, custom: custom, image: "shop/web:3"));

        Assert.Equal("SysAdmin", info.Profile);
        Assert.Equal(TimeSpan.FromMinutes(10), info.AfterLastUse);
        Assert.Equal(600, Mark()["idle"]!.GetValue<int>());
        Assert.True((await StartAsync(
            _cluster.Request(profile, named: true, custom: custom, image: "shop/web:3"))).Reused);
    }

    [Fact]
    public async Task Trace_needs_no_name_of_an_image_and_lives_as_others_do()
    {
        DebugContainerInfo info = await StartAsync(_cluster.Request("Trace", named: true));

        Assert.Equal("Trace", info.Profile);
        Assert.Equal(TimeSpan.FromMinutes(60), info.AfterLastUse);
        Assert.Null(Mark()["idle"]);
    }

    [Theory]
    [InlineData("General", "container", "Localhost", "Localhost")]
    [InlineData("General", "container", "Unconfined", "Unconfined")]
    [InlineData("General", "container", "RuntimeDefault", "RuntimeDefault")]
    [InlineData("General", "pod", "RuntimeDefault", "RuntimeDefault")]
    [InlineData("General", "none", "", null)]
    [InlineData("Trace", "container", "RuntimeDefault", "RuntimeDefault")]
    [InlineData("Trace", "container", "Localhost", null)]
    [InlineData("Restricted", "container", "Localhost", "Localhost")]
    [InlineData("Restricted", "container", "Unconfined", "RuntimeDefault")]
    [InlineData("Restricted", "pod", "Localhost", "Localhost")]
    [InlineData("Restricted", "none", "", "RuntimeDefault")]
    [InlineData("Baseline", "container", "RuntimeDefault", null)]
    public async Task The_targets_seccomp_filter_is_taken_over(string profile, string where, string type, string? taken)
    {
        Confine("seccompProfile", where, type);

        await StartAsync(_cluster.Request(profile, named: true));

        JsonNode? filter = _cluster.Ephemeral[0]!["securityContext"]?["seccompProfile"];
        Assert.Equal(taken, filter?["type"]?.ToString());
        Assert.Equal(taken == "Localhost" ? "app.json" : null, filter?["localhostProfile"]?.ToString());
    }

    [Theory]
    [InlineData("General", "Localhost", "Localhost")]
    [InlineData("General", "Unconfined", "Unconfined")]
    [InlineData("Restricted", "Localhost", "Localhost")]
    [InlineData("Restricted", "Unconfined", null)]
    public async Task The_targets_apparmor_profile_is_taken_over(string profile, string type, string? taken)
    {
        Confine("appArmorProfile", "container", type);

        await StartAsync(_cluster.Request(profile, named: true));

        Assert.Equal(taken, _cluster.Ephemeral[0]!["securityContext"]!["appArmorProfile"]?["type"]?.ToString());
    }

    [Fact]
    public async Task The_mark_holds_the_reason_and_the_name_that_the_server_knows()
    {
        _cluster.Caller = "oidc:anna@example.org";

        DebugContainerInfo info = await StartAsync(_cluster.Request() with { Reason = "INC-12 \"slow\"" });

        Assert.Equal(("oidc:anna@example.org", "INC-12 \"slow\""), (info.StartedBy, info.Reason));
        Assert.Equal("oidc:anna@example.org", Mark()["user"]!.ToString());
        Assert.DoesNotContain(Environment.UserName, Mark().ToJsonString());
    }

    [Fact]
    public async Task A_server_that_does_not_say_who_asks_leaves_the_name_out()
    {
        DebugContainerInfo info = await StartAsync(_cluster.Request());

        Assert.Null(info.StartedBy);
        Assert.Null(Mark()["user"]);
    }

    [Fact]
    public async Task One_that_may_live_longer_than_is_allowed_is_not_taken()
    {
        await StartAsync(_cluster.Request());

        DebugContainerInfo info = await StartAsync(_cluster.Request() with { Life = TimeSpan.FromHours(1) });

        Assert.False(info.Reused);
        Assert.Equal(TimeSpan.FromHours(1), info.Life);
        Assert.True((await StartAsync(_cluster.Request() with { Life = TimeSpan.FromHours(1) })).Reused);
        Assert.Equal(2, _cluster.Ephemeral.Count);
    }

    private Task<DebugContainerInfo> StartAsync(DebugContainerRequest request)
        => _cluster.Gateway.StartDebugContainerAsync(request, TestContext.Current.CancellationToken);

    private JsonObject Mark()
        => JsonNode.Parse(_cluster.Ephemeral[^1]!["env"]!.AsArray()
            .Single(e => e!["name"]!.ToString() == SessionMark.Variable)!["value"]!.ToString())!.AsObject();

    private void Confine(string field, string where, string type)
    {
        JsonObject profile = new() { ["type"] = type };
        if (type == "Localhost")
        {
            profile["localhostProfile"] = "app.json";
        }

        JsonNode spec = _cluster.PodObject["spec"]!;
        JsonNode? holder = where == "container" ? spec["containers"]![0] : where == "pod" ? spec : null;
        if (holder is not null)
        {
            holder["securityContext"] = new JsonObject { [field] = profile };
        }
    }
}
