using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Tests.Module;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>What policy files allow, and that a file which is not understood allows nothing.</summary>
public sealed class PolicyTests : IDisposable
{
    private const string Digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    private readonly TempDirectory _directory = new();
    private readonly FakeCluster _cluster = new();

    public void Dispose()
    {
        _cluster.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData("", "it is not JSON")]
    [InlineData("[]", "it is no object")]
    [InlineData("{", "it is not JSON")]
    [InlineData("{} // more", "it is not JSON")]
    [InlineData("""{"imagess":[]}""", "field 'imagess' is not known")]
    [InlineData("""{"Images":[]}""", "field 'Images' is not known")]
    [InlineData("""{"images":[],"images":["*"]}""", "field 'images' is there twice")]
    [InlineData("""{"images":"*"}""", "field 'images' is no list")]
    [InlineData("""{"images":["a b"]}""", "'a b' is nothing that field 'images' can have")]
    [InlineData("""{"images":[7]}""", "'7' is nothing that field 'images' can have")]
    [InlineData("""{"images":["\ud800"]}""", "a text in it is not Unicode")]
    [InlineData("""{"profiles":["general"]}""", "'general' is nothing")]
    [InlineData("""{"cmdlets":{"Get-Everything":false}}""", "cmdlet 'Get-Everything' is not known")]
    [InlineData("""{"cmdlets":{"Get-PyStack":0}}""", "'Get-PyStack' is neither true nor false")]
    [InlineData("""{"cmdlets":["Get-PyStack"]}""", "field 'cmdlets' is no object")]
    [InlineData("""{"longestLifeMinutes":9}""", "from 10 to 720")]
    [InlineData("""{"longestLifeMinutes":721}""", "from 10 to 720")]
    [InlineData("""{"longestLifeMinutes":1e99}""", "from 10 to 720")]
    [InlineData("""{"requireReason":"yes"}""", "'requireReason' is neither true nor false")]
    [InlineData("""{"description":[[[[[[[[[[1]]]]]]]]]]}""", "it is not JSON")]
    public void A_file_that_is_not_understood_refuses_everything(string text, string why)
    {
        string path = _directory.Write("policy.json", text);

        EngineException e = Assert.Throws<EngineException>(() => TeamPolicy.Read([path], null));

        Assert.Equal(Causes.PolicyInvalid, e.Cause);
        Assert.StartsWith($"Policy file '{path}' refuses everything: ", e.Message);
        Assert.Contains(why, e.Message);
    }

    [Fact]
    public void A_file_that_is_there_and_cannot_be_read_refuses_everything()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links take a right there.");
        string link = Path.Join(_directory.Path, "link");
        File.CreateSymbolicLink(link, Path.Join(_directory.Path, "nowhere"));

        foreach (string path in new[] { link, _directory.Path, "/dev/zero" })
        {
            Assert.Equal(
                Causes.PolicyInvalid, Assert.Throws<EngineException>(() => TeamPolicy.Read([path], null)).Cause);
        }

        foreach (string named in new[] { Path.Join(_directory.Path, "nowhere"), "policy.json" })
        {
            Assert.Equal(
                Causes.PolicyInvalid, Assert.Throws<EngineException>(() => TeamPolicy.Read([], named)).Cause);
        }
    }

    [Fact]
    public void A_file_that_is_not_there_takes_nothing_away()
        => TeamPolicy.Read([Path.Join(_directory.Path, "none"), null], null).CheckCmdlet("Get-MemrayReport");

    [Theory]
    [InlineData("@application", null, true)]
    [InlineData("@application", "shop/web:3", true)]
    [InlineData("@application", "tools:1", false)]
    [InlineData("shop/*", null, true)]
    [InlineData("shop/web", null, false)]
    [InlineData("*", "any:1", true)]
    [InlineData("reg/*/debug:*", "reg/team/debug:7", true)]
    [InlineData("reg/*/debug:*", "reg/team/other:7", false)]
    [InlineData("reg/*bug:1", "reg/bug:1", true)]
    [InlineData("reg/x*x", "reg/x", false)]
    [InlineData(Digest, "tools@" + Digest, true)]
    [InlineData(Digest, "tools:1", false)]
    [InlineData(Digest, null, true)]
    [InlineData("tools@" + Digest, "tools@" + Digest, true)]
    [InlineData("other@" + Digest, "tools@" + Digest, false)]
    public async Task An_image_is_held_against_the_list(string listed, string? image, bool allowed)
    {
        _cluster.PodObject["status"]!["containerStatuses"]![0]!["imageID"] = "docker.io/shop/web@" + Digest;
        using KubeGateway gateway = Gateway(new JsonObject { ["images"] = new JsonArray(listed) }.ToJsonString());

        await HoldsAsync(gateway, _cluster.Request(image: image), allowed, "images");
    }

    [Fact]
    public async Task A_digest_is_no_word_for_what_is_pulled_anew()
    {
        _cluster.PodObject["status"]!["containerStatuses"]![0]!["imageID"] = "docker.io/shop/web@" + Digest;
        using KubeGateway gateway = Gateway(new JsonObject { ["images"] = new JsonArray(Digest) }.ToJsonString());

        await HoldsAsync(gateway, _cluster.Request(pullPolicy: "Always"), allowed: false, "images");
    }

    [Theory]
    [InlineData("General", null, false)]
    [InlineData("Restricted", null, true)]
    [InlineData("Restricted", """{"securityContext":{"privileged":true}}""", false)]
    [InlineData("Restricted", """{"securityContext":{"capabilities":{"add":["SYS_PTRACE"]}}}""", false)]
    [InlineData("Restricted", """{"securityContext":{"runAsUser":0}}""", false)]
    [InlineData("Restricted", """{"securityContext":{"seccompProfile":{"type":"Unconfined"}}}""", false)]
    [InlineData("Restricted", """{"securityContext":null}""", false)]
    [InlineData("Restricted", """{"securityContext":{"runAsUser":7,"readOnlyRootFilesystem":true}}""", true)]
    [InlineData("Restricted", """{"workingDir":"/tmp"}""", true)]
    public async Task A_profile_that_is_not_listed_cannot_be_had_by_another_name(
        string profile, string? custom, bool allowed)
    {
        using KubeGateway gateway = Gateway("""{"profiles":["Restricted"]}""");

        await HoldsAsync(
            gateway, _cluster.Request(profile, named: true, custom: custom, image: "tools:1"), allowed, "profiles");
    }

    [Fact]
    public async Task A_profile_that_is_not_listed_is_no_way_out_where_admission_refuses()
    {
        _cluster.Refuse = r => r.Json.ToJsonString().Contains("SYS_PTRACE")
            ? FakeConnection.Status(403, "Forbidden", "admission webhook \"x\" denied the request") : null;
        using KubeGateway gateway = Gateway("""{"profiles":["General"]}""");

        EngineException e = await Assert.ThrowsAsync<EngineException>(
            () => gateway.StartDebugContainerAsync(_cluster.Request(), TestContext.Current.CancellationToken));

        Assert.Equal(Causes.AdmissionDenied, e.Cause);
        Assert.Empty(_cluster.Patches);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("  ", false)]
    [InlineData("INC-1", true)]
    public async Task A_reason_can_be_wanted(string? reason, bool allowed)
    {
        using KubeGateway gateway = Gateway("""{"requireReason":true}""");

        await HoldsAsync(gateway, _cluster.Request() with { Reason = reason }, allowed, "requireReason");
    }

    [Fact]
    public async Task The_shortest_life_of_all_files_holds()
    {
        using KubeGateway gateway = Gateway("""{"longestLifeMinutes":60}""", """{"longestLifeMinutes":30}""", "{}");

        DebugContainerInfo info = await gateway.StartDebugContainerAsync(
            _cluster.Request(), TestContext.Current.CancellationToken);

        Assert.Equal(TimeSpan.FromMinutes(30), info.Life);
        Assert.Contains("\\u0022life\\u0022:1800", _cluster.Patches[0].Json.ToJsonString());
    }

    [Fact]
    public void Each_file_takes_away_and_none_gives_back()
    {
        TeamPolicy policy = Policy(
            """{"cmdlets":{"Get-MemrayReport":false,"Invoke-PySpy":true},"profiles":["General","Trace"]}""",
            """{"cmdlets":{"Get-MemrayReport":true,"invoke-bpftrace":false},"profiles":["Trace","SysAdmin"]}""");

        Assert.Equal("cmdlets", Denied(() => policy.CheckCmdlet("Get-MemrayReport")).Detail["rule"]);
        Assert.Equal("cmdlets", Denied(() => policy.CheckCmdlet("Invoke-Bpftrace")).Detail["rule"]);
        policy.CheckCmdlet("Invoke-PySpy");
        Assert.Equal(
            ["Trace"], PolicyReader.Profiles.Where(policy.AllowsProfile));
    }

    [Theory]
    [InlineData("aws", "/usr/bin/aws", true)]
    [InlineData("aws", null, true)]
    [InlineData("/opt/kubelogin", "/opt/kubelogin", true)]
    [InlineData("kubelogin", "/opt/kubelogin", true)]
    [InlineData("./aws", "/home/me/mail/aws", false)]
    [InlineData("/home/me/aws", "/home/me/aws", false)]
    [InlineData("gcloud", "/usr/bin/gcloud", false)]
    public void A_login_helper_is_held_against_the_list(string command, string? program, bool allowed)
    {
        TeamPolicy policy = Policy("""{"loginHelpers":["aws","/opt/kubelogin"]}""");

        if (allowed)
        {
            policy.CheckLoginHelper(command, program);
        }
        else
        {
            Assert.Contains(command, Denied(() => policy.CheckLoginHelper(command, program)).Message);
        }
    }

    [Fact]
    public void A_helper_that_is_not_allowed_is_not_run()
    {
        string path = _directory.Write("kubeconfig", TlsTests.Kubeconfig(
            "server: 'https://one.example:6443'",
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./helper}"));

        EngineException e = Denied(() => ConnectionResolver.Resolve(
            new() { Kubeconfig = path, Policy = Policy("""{"loginHelpers":[]}""") }));

        Assert.Equal("none", e.Detail["allows"]);
    }

    [Fact]
    public void The_schema_and_the_reader_know_the_same_and_the_example_is_of_it()
    {
        string folder = Path.Join(Repository.Root, "examples");
        JsonObject schema = JsonNode.Parse(File.ReadAllText(Path.Join(folder, "policy.schema.json")))!.AsObject();
        JsonObject fields = schema["properties"]!.AsObject();

        PolicyRules example = PolicyReader.Read(Path.Join(folder, "policy.json"));

        Assert.Equal(TimeSpan.FromMinutes(60), example.Life);
        Assert.True(example.RequiresReason);
        Assert.Equal(
            PolicyReader.Profiles, fields["profiles"]!["items"]!["enum"]!.AsArray().Select(p => p!.ToString()));
        Assert.Equal(PolicyReader.Cmdlets, fields["cmdlets"]!["properties"]!.AsObject().Select(p => p.Key));
        Assert.Equal(PolicyReader.ShortestLife, fields["longestLifeMinutes"]!["minimum"]!.GetValue<int>());
        Assert.Equal(PolicyReader.LongestLife, fields["longestLifeMinutes"]!["maximum"]!.GetValue<int>());
        foreach (string field in fields.Select(f => f.Key))
        {
            // A value of the wrong kind is refused for what it is, not for a name that is not known.
            string path = _directory.Write("one.json", new JsonObject { [field] = -1 }.ToJsonString());
            EngineException e = Assert.Throws<EngineException>(() => PolicyReader.Read(path));
            Assert.DoesNotContain("is not known", e.Message);
        }
    }

    [Fact]
    public void Every_cmdlet_that_reaches_a_server_can_be_switched_off()
        => Assert.Equal(
            typeof(KubernetesCommandBase).Assembly.GetExportedTypes()
                .Where(t => t.IsSubclassOf(typeof(KubernetesCommandBase)))
                .Select(t => t.GetCustomAttribute<CmdletAttribute>()).OfType<CmdletAttribute>()
                .Select(c => $"{c.VerbName}-{c.NounName}").Order(StringComparer.Ordinal),
            PolicyReader.Cmdlets);

    private static EngineException Denied(Action act)
    {
        EngineException e = Assert.Throws<EngineException>(act);
        Assert.Equal(Causes.PolicyDenied, e.Cause);
        return e;
    }

    private TeamPolicy Policy(params string[] texts)
        => TeamPolicy.Read(texts.Select((t, i) => _directory.Write($"policy{i}.json", t)), null);

    private KubeGateway Gateway(params string[] texts) => _cluster.Connect(Policy(texts));

    private async Task HoldsAsync(KubeGateway gateway, DebugContainerRequest request, bool allowed, string rule)
    {
        if (allowed)
        {
            await gateway.StartDebugContainerAsync(request, TestContext.Current.CancellationToken);
            Assert.Single(_cluster.Patches);
            return;
        }

        EngineException e = await Assert.ThrowsAsync<EngineException>(
            () => gateway.StartDebugContainerAsync(request, TestContext.Current.CancellationToken));
        Assert.Equal(Causes.PolicyDenied, e.Cause);
        Assert.Equal(rule, e.Detail["rule"]);
        Assert.Contains(Path.Join(_directory.Path, "policy0.json"), e.Message);
        Assert.DoesNotContain(_cluster.Requests, r => r.Method != "GET");
    }
}
