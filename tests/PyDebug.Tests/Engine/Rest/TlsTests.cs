using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>Whom the engine believes, and to whom it gives its token.</summary>
public sealed class TlsTests : IDisposable
{
    private readonly FakeAgentFiles _files = new();
    private readonly TempDirectory _directory = new();

    public static TheoryData<string, bool> BadCertificates
    {
        get
        {
            TheoryData<string, bool> data = [];
            foreach (string kind in new[]
            {
                "other name", "other authority", "expired", "not valid yet", "of a client", "of nobody", "short key",
                "SHA-1", "no name",
            })
            {
                data.Add(kind, false);
                data.Add(kind, true);
            }

            return data;
        }
    }

    public void Dispose()
    {
        _directory.Dispose();
    }

    [Theory]
    [MemberData(nameof(BadCertificates))]
    public async Task A_bad_certificate_gets_no_token(string kind, bool exec)
    {
        using X509Certificate2 certificate = kind switch
        {
            "other name" => TestCertificates.Shared.Server("evil-node.example"),
            "other authority" => new TestCertificates().Server(),
            "not valid yet" => TestCertificates.Shared.Server(from: DateTimeOffset.UtcNow.AddHours(2)),
            "of a client" => TestCertificates.Shared.Server(usage: "1.3.6.1.5.5.7.3.2"),
            "of nobody" => TestCertificates.SelfSigned(),
            "short key" => TestCertificates.Shared.Weak(1024, HashAlgorithmName.SHA256),
            "SHA-1" => TestCertificates.Shared.Weak(2048, HashAlgorithmName.SHA1),
            "no name" => TestCertificates.Shared.Server(named: false),
            _ => TestCertificates.Shared.Server(until: DateTimeOffset.UtcNow.AddHours(-1)),
        };
        using FakeServer server = new(PodAsync, certificate);
        using KubeGateway gateway = Connect(new()
        {
            Server = server.Address,
            CertificateAuthorityData = TestCertificates.Shared.AuthorityData,
            AccessToken = Secrets.Token,
        });

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => CallAsync(gateway, exec));

        Assert.Equal(Causes.TlsFailed, e.Cause);
        Assert.Contains(
            kind switch
            {
                "other name" or "no name" => "it is not for '127.0.0.1'",
                // Where OpenSSL's own policy is stricter still, it ends the handshake before the certificate is looked
                // at.
                "short key" or "SHA-1" => "is not trusted",
                _ => "does not vouch for it",
            },
            e.Message);
        Assert.DoesNotContain(Secrets.Canary, e.ToString());
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData(1024, "SHA256", "its key of 1024 bits is too short")]
    [InlineData(2048, "SHA1", "it is signed with SHA-1")]
    [InlineData(2048, "SHA256", null)]
    public void What_is_too_weak_is_seen_in_a_chain_that_dotnet_takes(int bits, string hash, string? weakness)
    {
        using X509Certificate2 certificate = TestCertificates.Shared.Weak(bits, new(hash));
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.AddRange(
            Certificates.ReadAuthorities(Certificates.Decode(TestCertificates.Shared.AuthorityData)));

        chain.Build(certificate);

        Assert.Equal(2, chain.ChainElements.Count);
        Assert.Equal(weakness, TlsPolicy.Weakness(chain));
    }

    [Fact]
    public async Task An_authority_need_not_be_a_root()
    {
        TestCertificates intermediate = new(TestCertificates.Shared);
        using FakeServer server = new(PodAsync, intermediate.Server());
        using KubeGateway gateway = Connect(new()
        {
            Server = server.Address,
            CertificateAuthorityData = intermediate.AuthorityData,
            AccessToken = Secrets.Token,
        });

        await CallAsync(gateway, exec: true);

        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task Without_an_authority_the_systems_are_asked()
    {
        using FakeServer server = new(PodAsync, TestCertificates.Shared.Server());
        using KubeGateway gateway = Connect(new() { Server = server.Address, AccessToken = Secrets.Token });

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => CallAsync(gateway, exec: false));

        Assert.Equal(Causes.TlsFailed, e.Cause);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public void A_token_is_not_sent_without_encryption_beyond_this_machine()
    {
        EngineException e = Assert.Throws<EngineException>(
            () => Connect(new() { Server = "http://10.0.0.1:8080", AccessToken = Secrets.Token }));

        Assert.Equal(Causes.TlsFailed, e.Cause);
    }

    [Fact]
    public async Task A_client_certificate_with_an_elliptic_curve_key_is_shown()
    {
        (string certificate, string key) = TestCertificates.Shared.Client("ops");
        string? seen = null;
        using FakeServer server = new(
            (request, connection) =>
            {
                seen = connection.ClientCertificate?.Subject;
                return PodAsync(request, connection);
            },
            TestCertificates.Shared.Server(),
            askClient: true);
        string path = _directory.Write("kubeconfig", Kubeconfig(
            $"server: {server.Address}, certificate-authority-data: {TestCertificates.Shared.AuthorityData}",
            $"client-certificate: c.pem, client-key: k.pem"));
        _directory.Write("c.pem", certificate);
        _directory.Write("k.pem", key);
        using KubeGateway gateway = Connect(new() { Kubeconfig = path });

        await CallAsync(gateway, exec: false);

        Assert.Equal("CN=ops", seen);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Another_name_to_check_can_be_given(bool exec)
    {
        using FakeServer server = new(PodAsync, TestCertificates.Shared.Server("api.internal"));
        string path = _directory.Write("kubeconfig", Kubeconfig(
            $"server: {server.Address}, tls-server-name: api.internal, "
            + $"certificate-authority-data: {TestCertificates.Shared.AuthorityData}",
            "token: x"));
        using KubeGateway gateway = Connect(new() { Kubeconfig = path });

        await CallAsync(gateway, exec);

        Assert.StartsWith("127.0.0.1", Assert.Single(server.Requests).Headers["host"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Through_a_proxy_and_without_verification_as_the_file_says(bool exec)
    {
        using FakeServer server = new(PodAsync, new TestCertificates().Server("whoever"));
        using ConnectProxy proxy = new(server.Port);
        string path = _directory.Write("kubeconfig", Kubeconfig(
            "server: 'https://api.pydebug.test:16443', insecure-skip-tls-verify: true, "
            + $"proxy-url: 'http://127.0.0.1:{proxy.Port}'",
            "token: good-proxy-token"));
        List<string> warnings = [];
        using KubeGateway gateway = Connect(new() { Kubeconfig = path, Warn = warnings.Add });

        await CallAsync(gateway, exec);

        Assert.Equal("CONNECT api.pydebug.test:16443 HTTP/1.1", Assert.Single(proxy.Asked));
        Assert.Contains("insecure-skip-tls-verify", Assert.Single(warnings));
        Assert.Equal("Bearer good-proxy-token", Assert.Single(server.Requests).Authorization);
    }

    internal static string Kubeconfig(string cluster, string user) =>
        $$$"""
        apiVersion: v1
        kind: Config
        current-context: here
        clusters: [{name: c, cluster: { {{{cluster}}} }}]
        contexts: [{name: here, context: {cluster: c, user: u, namespace: shop}}]
        users: [{name: u, user: { {{{user}}} }}]
        """;

    internal static async Task PodAsync(FakeRequest request, FakeConnection connection)
    {
        if (request.IsExec)
        {
            await connection.UpgradeAsync(request);
            await FakeCluster.ProbeAsync(new FakeExec(request, connection));
            return;
        }

        await connection.RespondAsync(200, FakeCluster.NewPod());
    }

    internal static Task CallAsync(KubeGateway gateway, bool exec)
        => exec
            ? gateway.RunAgentAsync(
                new() { Namespace = "shop", Name = "web-0", Uid = "uid-1" },
                "pydebug-abcde",
                "python3",
                new() { Op = "ping" },
                (_, _) => ValueTask.CompletedTask,
                TestContext.Current.CancellationToken)
            : gateway.GetPodAsync("shop", "web-0", TestContext.Current.CancellationToken);

    private KubeGateway Connect(ConnectionOptions options)
        => KubeGateway.Connect(options, _files.Bundle, FakeCluster.Timing);
}
