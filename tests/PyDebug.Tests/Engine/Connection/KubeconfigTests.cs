using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>What a kubeconfig says, and what is refused.</summary>
[Collection(nameof(EnvironmentCollection))]
public sealed class KubeconfigTests : IDisposable
{
    private const string Cluster = "server: 'https://one.example:6443'";

    private readonly TempDirectory _directory = new();
    private readonly string? _before = Environment.GetEnvironmentVariable("KUBECONFIG");

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("KUBECONFIG", _before);
        _directory.Dispose();
    }

    [Fact]
    public async Task The_current_context_gives_server_namespace_and_token()
    {
        ServerSettings settings = Resolve(TlsTests.Kubeconfig(Cluster, "token: abc"));

        Assert.Equal("https://one.example:6443/", settings.Server.AbsoluteUri);
        Assert.Equal("shop", settings.Namespace);
        Credential credential = await settings.Credentials.GetAsync(TestContext.Current.CancellationToken);
        Assert.Equal("Bearer abc", credential.Authorization);
    }

    [Fact]
    public void Of_several_files_the_first_to_say_something_wins_and_missing_ones_are_passed_over()
    {
        string a = _directory.Write("a", "clusters: [{name: c, cluster: {server: 'https://first.example'}}]");
        string b = _directory.Write("b", TlsTests.Kubeconfig("server: 'https://second.example'", "token: abc"));
        Environment.SetEnvironmentVariable(
            "KUBECONFIG", string.Join(Path.PathSeparator, Path.Join(_directory.Path, "missing"), a, b));

        Assert.Equal("https://first.example/", ConnectionResolver.Resolve(new()).Server.AbsoluteUri);
    }

    [Fact]
    public void A_named_context_is_taken_by_its_exact_name()
    {
        string text = TlsTests.Kubeconfig(Cluster, "token: abc");

        Resolve(text, "here");
        EngineException e = Assert.Throws<EngineException>(() => Resolve(text, "Here"));

        Assert.Equal(Causes.ContextNotFound, e.Cause);
        Assert.Equal("here", e.Detail["contexts"]);
    }

    [Theory]
    [InlineData(Cluster, "auth-provider: {name: oidc}", "auth-provider")]
    [InlineData(Cluster, "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}", "v1alpha1")]
    [InlineData(
        Cluster,
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}",
        "interactiveMode")]
    [InlineData(Cluster + ", proxy-url: 'socks5://p:1', tls-server-name: x", "token: x", "tls-server-name")]
    public void What_is_not_supported_is_refused_by_name(string cluster, string user, string named)
    {
        EngineException e = Assert.Throws<EngineException>(() => Resolve(TlsTests.Kubeconfig(cluster, user)));

        Assert.Equal(Causes.KubeconfigUnsupported, e.Cause);
        Assert.Contains(named, e.Message);
    }

    [Theory]
    [InlineData("clusters: {a: b}")]
    [InlineData("- a")]
    [InlineData("current-context: [")]
    [InlineData("current-context: x\ncurrent-context: y")]
    [InlineData("contexts: [{name: here, context: {cluster: c, user: u}}]\ncurrent-context: here")]
    [InlineData("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        + "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
        + "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]")]
    public void A_file_that_makes_no_sense_is_an_error(string text)
        => Assert.Equal(Causes.KubeconfigInvalid, Assert.Throws<EngineException>(() => Resolve(text)).Cause);

    [Theory]
    [InlineData("server: 'ftp://x'", "token: x")]
    [InlineData("server: 'https://user:pw@x'", "token: x")]
    [InlineData("certificate-authority-data: '%%%', server: 'https://x'", "token: x")]
    [InlineData("certificate-authority-data: 'AAAA', server: 'https://x'", "token: x")]
    [InlineData("certificate-authority: missing.pem, server: 'https://x'", "token: x")]
    [InlineData("certificate-authority-data: 'AAAA', insecure-skip-tls-verify: true, server: 'https://x'", "token: x")]
    [InlineData(Cluster, "client-certificate-data: 'AAAA'")]
    [InlineData(Cluster, "client-certificate-data: 'AAAA', client-key-data: 'AAAA'")]
    [InlineData(Cluster, "as-groups: [admins]")]
    [InlineData(Cluster, "token: [x]")]
    public void A_field_that_makes_no_sense_is_an_error(string cluster, string user)
    {
        EngineException e = Assert.Throws<EngineException>(() => Resolve(TlsTests.Kubeconfig(cluster, user)));
        Assert.Equal(Causes.KubeconfigInvalid, e.Cause);
    }

    [Fact]
    public void Impersonation_is_carried_out()
    {
        ServerSettings settings = Resolve(TlsTests.Kubeconfig(
            Cluster, "token: x, as: alice, as-uid: '7', as-groups: [ops, dev], as-user-extra: {a/b: [c]}"));

        Assert.Equal(
            [
                "Impersonate-User=alice", "Impersonate-Uid=7", "Impersonate-Group=ops", "Impersonate-Group=dev",
                "Impersonate-Extra-a%2Fb=c",
            ],
            settings.Headers.Select(h => $"{h.Key}={h.Value}"));
    }

    [Fact]
    public async Task A_token_file_beside_the_kubeconfig_is_read_again_after_a_refusal()
    {
        string file = _directory.Write("token", "first\n");
        ServerSettings settings = Resolve(TlsTests.Kubeconfig(Cluster, "tokenFile: token"));
        Credential first = await settings.Credentials.GetAsync(TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(file, "second\n", TestContext.Current.CancellationToken);

        Assert.Equal("Bearer first", first.Authorization);
        Assert.Equal(
            "Bearer second",
            (await settings.Credentials.RefreshAsync(first, TestContext.Current.CancellationToken))!.Authorization);
    }

    [Fact]
    public void A_broken_file_does_not_show_its_token()
    {
        EngineException e = Assert.Throws<EngineException>(
            () => Resolve($"users: [{{name: u, user: {{token: \"{Secrets.Canary}\": }}}}]\nclusters: ["));

        Assert.DoesNotContain(Secrets.Canary, e.ToString());
    }

    [Fact]
    public void No_configuration_at_all_says_where_it_was_looked_for()
    {
        Environment.SetEnvironmentVariable("KUBECONFIG", Path.Join(_directory.Path, "missing"));

        EngineException e = Assert.Throws<EngineException>(() => ConnectionResolver.Resolve(new()));

        Assert.Equal(Causes.KubeconfigInvalid, e.Cause);
    }

    private ServerSettings Resolve(string text, string? context = null)
        => ConnectionResolver.Resolve(new() { Kubeconfig = _directory.Write("kubeconfig", text), Context = context });
}
