using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>Which requests go through a proxy, and what is said where it does not lead to the server.</summary>
public sealed class ProxyTests : IDisposable
{
    private readonly FakeAgentFiles _files = new();
    private readonly TempDirectory _directory = new();

    /// <summary>What <c>net/http</c> of Go 1.24 does: NO_PROXY, server, and whether it asks the proxy.</summary>
    public static TheoryData<string, string, bool> Cases => new()
    {
        { "", "https://10.96.0.1:6443", true },
        { "10.96.0.0/12", "https://10.96.0.1:6443", false },
        { "10.96.0.1", "https://10.96.0.1:6443", false },
        { "10.96.0.1:6443", "https://10.96.0.1:6443", false },
        { "10.96.0.1:443", "https://10.96.0.1:6443", true },
        { "192.168.0.0/16", "https://10.96.0.1:6443", true },
        { "192.168.0.0/16, 10.0.0.0/8", "https://10.96.0.1:6443", false },
        { "*", "https://10.96.0.1:6443", false },
        { "cluster.test", "https://api.cluster.test:6443", false },
        { ".cluster.test", "https://api.cluster.test:6443", false },
        { ".cluster.test", "https://cluster.test:6443", true },
        { "cluster.test", "https://mycluster.test:6443", true },
        { "*.cluster.test", "https://API.cluster.test:6443", false },
        { "fd00::/8", "https://[fd12::1]:6443", false },
        { "[fd12::1]:6443", "https://[fd12::1]:6443", false },
        { "", "https://localhost:6443", false },
        { "", "https://127.0.0.1:6443", false },
        { "", "http://10.96.0.1:6443", false },
    };

    public void Dispose()
    {
        _directory.Dispose();
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_environment_is_read_as_go_reads_it(string exceptions, string server, bool through)
    {
        foreach ((string proxy, string none) in new[] { ("HTTPS_PROXY", "NO_PROXY"), ("https_proxy", "no_proxy") })
        {
            Dictionary<string, string> variables = new() { [proxy] = "proxy.test:3128", [none] = exceptions };

            ServerProxy? found = ProxyEnvironment.For(new(server), variables.GetValueOrDefault);

            Assert.Equal(through ? $"http://proxy.test:3128 ({proxy})" : null, found?.ToString());
        }
    }

    [Fact]
    public void Capital_letters_come_first_and_no_password_is_shown()
    {
        Dictionary<string, string> variables = new()
        {
            ["HTTPS_PROXY"] = $"https://me:{Secrets.Canary}@a.test:1",
            ["https_proxy"] = "b.test:2",
            ["ALL_PROXY"] = "c.test:3",
        };

        ServerProxy? found = ProxyEnvironment.For(new("https://api.test"), variables.GetValueOrDefault);

        Assert.Equal("https://a.test:1 (HTTPS_PROXY)", found?.ToString());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_proxy_and_another_name_to_check_go_together(bool exec)
    {
        using FakeServer server = new(TlsTests.PodAsync, TestCertificates.Shared.Server("api.internal"));
        using ConnectProxy proxy = new(server.Port);
        using KubeGateway gateway = Connect($"http://me:pass%20word@127.0.0.1:{proxy.Port}", "api.internal");

        await TlsTests.CallAsync(gateway, exec);

        Assert.Equal("CONNECT api.pydebug.test:16443 HTTP/1.1", Assert.Single(proxy.Asked));
        Assert.Contains("Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk", Assert.Single(proxy.Heads));
        Assert.StartsWith("api.pydebug.test:16443", Assert.Single(server.Requests).Headers["host"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Behind_a_proxy_the_certificate_is_checked_too(bool exec)
    {
        using FakeServer server = new(TlsTests.PodAsync, TestCertificates.Shared.Server("api.internal"));
        using ConnectProxy proxy = new(server.Port);
        using KubeGateway gateway = Connect($"http://127.0.0.1:{proxy.Port}", "other.internal");

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => TlsTests.CallAsync(gateway, exec));

        Assert.Equal(Causes.TlsFailed, e.Cause);
        Assert.Contains("it is not for 'other.internal'", e.Message);
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData("407 Proxy Authentication Required", "which wants another user or password", false)]
    [InlineData("403 Forbidden", "does not lead to api.pydebug.test:16443 (HTTP 403)", false)]
    [InlineData("503 Service Unavailable", "does not lead to api.pydebug.test:16443 (HTTP 503)", true)]
    public async Task A_proxy_that_refuses_is_named(string answer, string said, bool again)
    {
        using ConnectProxy proxy = new(1, answer);
        using KubeGateway gateway = Connect($"http://me:{Secrets.Canary}@127.0.0.1:{proxy.Port}");

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => TlsTests.CallAsync(gateway, exec: false));

        Assert.Equal(Causes.ConnectionFailed, e.Cause);
        Assert.Contains($"http://127.0.0.1:{proxy.Port} (proxy-url of the kubeconfig)", e.Message);
        Assert.Contains(said, e.Message);
        Assert.Equal(again, proxy.Asked.Count > 1);
        Assert.DoesNotContain(Secrets.Canary, e.ToString());
    }

    [Fact]
    public async Task A_proxy_that_is_not_there_is_named()
    {
        using KubeGateway gateway = Connect($"127.0.0.1:{FreePort()}");

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => TlsTests.CallAsync(gateway, exec: true));

        Assert.Matches(
            @"cannot be reached: Proxy http://127\.0\.0\.1:\d+ \(proxy-url of the kubeconfig\) cannot be reached: no "
            + "connection could be made",
            e.Message);
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private KubeGateway Connect(string proxy, string? name = null)
    {
        string path = _directory.Write("kubeconfig", TlsTests.Kubeconfig(
            $"server: 'https://api.pydebug.test:16443', proxy-url: '{proxy}', "
            + (name is null ? "" : $"tls-server-name: {name}, ")
            + $"certificate-authority-data: {TestCertificates.Shared.AuthorityData}",
            "token: x"));
        return KubeGateway.Connect(
            new() { Kubeconfig = path, Clock = new HastyClock() }, _files.Bundle, FakeCluster.Timing);
    }
}
