using System;
using System.Collections;
using System.Linq;
using System.Management.Automation;
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
