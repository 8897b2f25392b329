using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using k8s;
using PyDebug.Engine;
using PyDebug.Tests.Profiles;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>The engine reads in a kubeconfig what KubernetesClient reads, or the difference is explained.</summary>
[Collection(nameof(EnvironmentCollection))]
public sealed class KubeconfigReferee : IDisposable
{
    private const string Refused = "refused";

    private readonly TempDirectory _directory = new();
    private readonly string? _before = Environment.GetEnvironmentVariable("KUBECONFIG");

    public static TheoryData<string> Cases => [.. Read().Select(c => c.Name)];

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("KUBECONFIG", _before);
        _directory.Dispose();
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Both_read_the_same_or_it_is_said_why_not(string name)
    {
        Case one = Read().Single(c => c.Name == name);
        (string certificate, string key) = TestCertificates.Shared.Client("ops");
        _directory.Write(
            "ca.pem", Encoding.ASCII.GetString(Convert.FromBase64String(TestCertificates.Shared.AuthorityData)));
        _directory.Write("client.pem", certificate);
        _directory.Write("client.key", key);
        _directory.Write("token", "from-a-file\n");
        _directory.Write(
            "helper",
            "#!/bin/sh\n"
            + "case $KUBERNETES_EXEC_INFO in *v1beta1*) v=v1beta1;; *v1alpha1*) v=v1alpha1;; *) v=v1;; esac\n"
            + "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/'$v'\","
            + "\"status\":{\"token\":\"helped'$EXTRA'\"}}'\n",
            executable: true);
        string text(string value) => value
            .Replace("$CA", TestCertificates.Shared.AuthorityData)
            .Replace("$CERT", Base64(certificate))
            .Replace("$KEY", Base64(key))
            .Replace("$DIR", _directory.Path)
            .Replace("$JWT", $"e30.{Base64("{\"exp\":4102444800}").TrimEnd('=')}.c2ln");
        Environment.SetEnvironmentVariable(
            "KUBECONFIG",
            string.Join(Path.PathSeparator, one.Files.Select((f, i) => _directory.Write($"config-{i}", text(f)))));

        string engine = await EngineAsync(TestContext.Current.CancellationToken);
        string library = await LibraryAsync(TestContext.Current.CancellationToken);

        if (one.Why is null)
        {
            Assert.Equal(library, engine);
        }
        else
        {
            // An explanation of what does not differ is wrong.
            Assert.NotEqual(library, engine);
        }
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static async Task<string> EngineAsync(CancellationToken ct)
    {
        try
        {
            ServerSettings settings = ConnectionResolver.Resolve(new());
            Credential credential = await settings.Credentials.GetAsync(ct);
            return Said(
                settings.Server, settings.Namespace, credential.Authorization, credential.Certificate,
                settings.Authorities, settings.SkipVerification, settings.TlsServerName)
                + string.Concat(settings.Headers.Select(h => $" {h.Key}={h.Value}"))
                + (settings.Proxy is null ? "" : $" proxy={settings.Proxy}");
        }
        catch (EngineException)
        {
            return Refused;
        }
    }

    private static async Task<string> LibraryAsync(CancellationToken ct)
    {
        try
        {
            KubernetesClientConfiguration read = KubernetesClientConfiguration.BuildDefaultConfig();
            string? authorization = read.TokenProvider is not null
                ? (await read.TokenProvider.GetAuthenticationHeaderAsync(ct)).ToString()
                : read.AccessToken is not null
                    ? new AuthenticationHeaderValue("Bearer", read.AccessToken).ToString()
                    : read.Username is not null ? "Basic " + Base64($"{read.Username}:{read.Password}") : null;
            string? certificate = read.ClientCertificateData is string data
                ? Encoding.ASCII.GetString(Convert.FromBase64String(data))
                : read.ClientCertificateFilePath is string path ? await File.ReadAllTextAsync(path, ct) : null;
            return Said(
                new Uri(read.Host), read.Namespace ?? "default", authorization,
                certificate is null ? null : X509Certificate2.CreateFromPem(certificate),
                read.SslCaCerts, read.SkipTlsVerify, read.TlsServerName);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return Refused;
        }
    }

    private static string Said(
        Uri server, string ns, string? authorization, X509Certificate2? certificate,
        X509Certificate2Collection? authorities, bool skip, string? name)
        => $"{server.AbsoluteUri} {ns} auth={authorization} certificate={certificate?.Thumbprint} "
            + $"authorities={string.Join(",", authorities?.Select(a => a.Thumbprint) ?? [])} skip={skip} name={name}";

    private static List<Case> Read()
    {
        List<Case> cases = [];
        foreach (string part in Fixture.Text("referee/kubeconfigs.txt").Split("\n== ").Skip(1))
        {
            string[] lines = part.Split('\n');
            string[] title = lines[0].Split(" ! ", 2);
            List<string> files = [];
            string cluster = string.Empty;
            foreach (string line in lines.Skip(1))
            {
                if (line.StartsWith("file ", StringComparison.Ordinal))
                {
                    files.Add(string.Empty);
                }
                else if (files.Count > 0)
                {
                    files[^1] += line + "\n";
                }
                else if (line.StartsWith("cluster ", StringComparison.Ordinal))
                {
                    cluster = line[8..];
                }
                else if (line.StartsWith("user", StringComparison.Ordinal))
                {
                    files.Add(TlsTests.Kubeconfig(cluster, line[4..]) + "\n");
                }
            }

            cases.Add(new(title[0], title.ElementAtOrDefault(1), files));
        }

        return cases;
    }

    private sealed record Case(string Name, string? Why, List<string> Files);
}
