using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Completion;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>What Tab offers, and that it is silent and asks a dead server once.</summary>
public sealed class CompletionTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly FakeCluster _cluster = new();
    private readonly FakeFleet _fleet;
    private readonly Hashtable _typed;

    public CompletionTests()
    {
        LiveCompleter.Limit = TimeSpan.FromMinutes(1);
        LiveCompleter.Fresh = TimeSpan.FromMinutes(10);
        _fleet = new(_cluster);
        _fleet.Add("web-1");
        _fleet.Add("other-1");
        _typed = new Hashtable
        {
            ["Server"] = _cluster.Address,
            ["AccessToken"] = Secrets.Token,
            ["CertificateAuthorityData"] = TestCertificates.Shared.AuthorityData,
            ["n"] = "shop",
        };
    }

    public void Dispose()
    {
        _cluster.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void Pods_and_their_containers_are_offered_and_remembered_for_a_moment()
    {
        Assert.Equal("web-1", Complete<PodNameCompleter>("PodName", "we"));
        int asked = _cluster.Requests.Count;

        Assert.Equal("other-1 web-1", Complete<PodNameCompleter>("PodName", ""));

        Assert.Equal(asked, _cluster.Requests.Count);
        _typed["PodName"] = "web-1";
        Assert.Equal("app sidecar", Complete<ContainerNameCompleter>("ContainerName", ""));
    }

    [Fact]
    public void Workloads_of_the_parameters_kind_are_offered()
    {
        _fleet.Refuse = request => request.Path == "/apis/apps/v1/namespaces/shop/statefulsets"
            ? (200, System.Text.Json.Nodes.JsonNode.Parse("""{"items":[{"metadata":{"name":"db"}}]}""")!.AsObject())
            : null;

        Assert.Equal("db", Complete<WorkloadNameCompleter>("StatefulSet", ""));
    }

    [Fact]
    public void Images_of_the_pod_or_of_the_namespace_are_offered()
    {
        _fleet.Pods["other-1"]["spec"]!["containers"]![0]!["image"] = "registry:5000/shop/other@sha256:ab";

        Assert.Equal("proxy:1 registry:5000/shop/other@sha256:ab shop/web:3", Complete<ImageCompleter>("Image", ""));
        _typed["PodName"] = "web-1";
        Assert.Equal("shop/web:3", Complete<ImageCompleter>("Image", "shop/w"));
    }

    [Fact]
    public async Task Processes_of_the_session_are_asked_in_its_debug_container_and_nothing_is_started()
    {
        int asked = 0;
        _cluster.Exec = async exec =>
        {
            string op = (await exec.BootAsync())["op"]!.ToString();
            await exec.HelloAsync();
            if (op == "processes")
            {
                asked++;
                foreach (int pid in new[] { 1, 17 })
                {
                    await exec.SendFrameAsync('R', new JsonObject
                    {
                        ["kind"] = "process", ["pid"] = pid, ["command"] = new JsonArray("python3", $"{pid}.py"),
                    });
                }
            }
            else
            {
                await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "probe", ["targetVisible"] = true });
            }

            await exec.FinishAsync();
        };
        using ModuleShell shell = new(_cluster);
        const string Complete =
            "; (TabExpansion2 -inputScript $line -cursorColumn $line.Length).CompletionMatches.CompletionText";
        await shell.RunAsync("$s = Start-PodDebug web-1 -Namespace shop @server");
        int patches = _cluster.Patches.Count;

        foreach (string line in new[]
        {
            "$s | Get-PyStack -ProcessId ", "Get-PyHeap $s -ProcessId ", "Watch-PyProcess -Session $s -Pid ",
        })
        {
            IReadOnlyList<PSObject> offered = await shell.RunAsync($"$line = '{line}'{Complete}");

            Assert.Equal("1 17", string.Join(' ', offered));
        }

        Assert.Equal(1, asked);
        Assert.Equal(patches, _cluster.Patches.Count);
        // What is no session, or none that can be told, offers nothing.
        string[] others = ["Get-Date | Get-PyStack -ProcessId ", "Get-PyStack -Pid ", "$none | Get-PyStack -Pid "];
        foreach (string line in others)
        {
            Assert.DoesNotContain(await shell.RunAsync($"$line = '{line}'{Complete}"), o => o is not null);
        }

        Assert.Equal(1, asked);
    }

    [Fact]
    public void A_server_that_fails_is_silent_and_left_alone_for_a_while()
    {
        _fleet.Refuse = _ => (400, FakeConnection.Status(400, "BadRequest", "no"));
        Assert.Equal("", Complete<PodNameCompleter>("PodName", ""));
        int asked = _cluster.Requests.Count;
        _typed["PodName"] = "web-1";

        Assert.Equal("", Complete<ContainerNameCompleter>("ContainerName", ""));

        Assert.Equal(asked, _cluster.Requests.Count);
    }

    [Fact]
    public void Contexts_come_from_the_kubeconfig_and_metrics_from_no_server()
    {
        _typed["Kubeconfig"] = _directory.Write(
            "config", """{"contexts":[{"name":"prod","context":{}},{"name":"a b","context":{}}]}""");

        Assert.Equal("'a b' prod", Complete<ContextCompleter>("Context", ""));
        Assert.Equal("Wait Wall", Complete<MetricCompleter>("Metric", "wa"));
        _typed["Kubeconfig"] = "/none/such";
        Assert.Equal("", Complete<ContextCompleter>("Context", ""));
        Assert.Empty(_cluster.Requests);
    }

    private string Complete<T>(string parameter, string word)
        where T : IArgumentCompleter, new()
        => string.Join(
            " ",
            new T().CompleteArgument("Start-PodDebug", parameter, word, null!, _typed)
                .Select(c => c.CompletionText).Order(StringComparer.Ordinal));
}
