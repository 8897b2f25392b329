using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace PyDebug.Engine;

/// <summary>Finds out which server is meant, as kubectl would.</summary>
internal static class ConnectionResolver
{
    /// <summary>Where a pod has its service account.</summary>
    public const string ServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

    public static ServerSettings Resolve(ConnectionOptions options)
    {
        if (options.Server is not null)
        {
            return Check(Explicit(options), options.Warn);
        }

        Kubeconfig kubeconfig = Kubeconfig.Load(options.Kubeconfig);
        if (!kubeconfig.IsEmpty)
        {
            return Check(FromKubeconfig(kubeconfig, options), options.Warn);
        }

        string? host = Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST");
        if (options.Kubeconfig is null && options.Context is null && !string.IsNullOrEmpty(host)
            && File.Exists(ServiceAccount + "/token"))
        {
            return InCluster(host, options);
        }

        throw new EngineException(
            Causes.KubeconfigInvalid,
            $"No cluster is configured: {kubeconfig.Sources} names one, and this is not a pod with a service account.");
    }

    /// <summary>The text of a secure string; it leaves this process only in the Authorization header.</summary>
    private static string? Reveal(SecureString? secret)
        => secret is null || secret.Length == 0 ? null : new NetworkCredential(string.Empty, secret).Password;

    private static ServerSettings Explicit(ConnectionOptions options)
        => new()
        {
            Server = Address(options.Server!, "-Server"),
            Authorities = Authorities(options.CertificateAuthorityData),
            Credentials = Token(options) ?? new FixedCredentialSource(Credential.None),
            RequestTimeout = options.RequestTimeout,
            Patience = options.Patience,
            Health = Health(options),
        };

    private static ServerSettings FromKubeconfig(Kubeconfig kubeconfig, ConnectionOptions options)
    {
        KubeconfigEntry context = kubeconfig.Context(options.Context);
        KubeconfigEntry cluster = kubeconfig.Cluster(context);
        KubeconfigEntry? user = kubeconfig.User(context);
        byte[]? authority = cluster.Data("certificate-authority");
        bool skip = KubeJson.Flag(cluster.Value, "insecure-skip-tls-verify") ?? false;
        if (skip && authority is not null)
        {
            throw cluster.Invalid("it has an authority and insecure-skip-tls-verify, which exclude each other");
        }

        ServerProxy? proxy = cluster.Text("proxy-url") is string url
            ? new(
                ServerProxy.Parse(url) ?? throw cluster.Invalid("proxy-url is no http, https or socks5 address"),
                "proxy-url of the kubeconfig")
            : null;
        try
        {
            return new()
            {
                Server = Address(cluster.Text("server") ?? throw cluster.Invalid("it has no server")),
                Authorities = Authorities(options.CertificateAuthorityData)
                    ?? (authority is null ? null : Certificates.ReadAuthorities(authority)),
                SkipVerification = skip,
                TlsServerName = cluster.Text("tls-server-name"),
                Proxy = proxy,
                Namespace = context.Text("namespace") ?? "default",
                Credentials = Token(options) ?? KubeconfigUser.Credentials(user, cluster, options),
                Headers = KubeconfigUser.Impersonation(user),
                RequestTimeout = options.RequestTimeout,
                Patience = options.Patience,
                Health = Health(options),
            };
        }
        catch (CryptographicException)
        {
            throw cluster.Invalid("its certificate authority cannot be read");
        }
    }

    private static ServerSettings InCluster(string host, ConnectionOptions options)
    {
        try
        {
            string port = Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_PORT") ?? "443";
            string name = host.Contains(':') ? $"[{host}]" : host;
            string ns = ServiceAccount + "/namespace";
            return new()
            {
                Server = Address($"https://{name}:{port}"),
                Authorities = Certificates.ReadAuthorities(File.ReadAllBytes(ServiceAccount + "/ca.crt")),
                Namespace = File.Exists(ns) ? File.ReadAllText(ns).Trim() : "default",
                Credentials = Token(options)
                    ?? new TokenFileCredentialSource(ServiceAccount + "/token", Credential.None),
                RequestTimeout = options.RequestTimeout,
                Patience = options.Patience,
                Health = Health(options),
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new EngineException(Causes.KubeconfigInvalid, "This pod's service account cannot be read.", e);
        }
    }

    private static ServerHealth Health(ConnectionOptions options)
        => new(options.Clock, options.Tell, options.Warn) { Trace = options.Trace };

    private static CredentialSource? Token(ConnectionOptions options)
        => Reveal(options.AccessToken) is string token
            ? new FixedCredentialSource(new() { Authorization = Credential.Bearer(token) })
            : null;

    private static X509Certificate2Collection? Authorities(string? data)
    {
        if (string.IsNullOrWhiteSpace(data))
        {
            return null;
        }

        try
        {
            return Certificates.ReadAuthorities(Certificates.Decode(data));
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            throw Invalid(
                "The certificate authority data holds no certificate, neither as PEM nor as base64 of it.",
                "-CertificateAuthorityData");
        }
    }

    private static EngineException Invalid(string what, string? parameter)
        => new(Causes.KubeconfigInvalid, what)
        {
            Detail = parameter is null
                ? new Dictionary<string, string>()
                : new Dictionary<string, string> { ["parameter"] = parameter },
        };

    private static Uri Address(string server, string? parameter = null)
    {
        string text = server.Contains("://", StringComparison.Ordinal) ? server : "https://" + server;
        return Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is "https" or "http"
            && address!.UserInfo.Length == 0
            ? address
            : throw Invalid("The server's address is no http or https address.", parameter);
    }

    private static ServerSettings Check(ServerSettings settings, Action<string>? warn)
    {
        if (settings.Server.Scheme == "http" && !settings.Server.IsLoopback)
        {
            string server = settings.Server.GetLeftPart(UriPartial.Authority);
            throw new EngineException(
                Causes.TlsFailed, $"Server {server} is not encrypted; only a loopback address may be.");
        }

        if (settings.Server.Scheme == "http" && settings.Proxy is not null)
        {
            warn?.Invoke(
                $"Server {settings.Server.Authority} is not encrypted, so it is reached directly and not through the "
                + "kubeconfig's proxy-url, which would see the token.");
        }

        if (settings.SkipVerification)
        {
            warn?.Invoke(
                $"The certificate of {settings.Server.Authority} is not checked (insecure-skip-tls-verify): "
                + "anyone on the way can read and change what is sent.");
        }

        // As with kubectl, no other variable matters where the file names a proxy; and none may see a request that is
        // not encrypted.
        ServerProxy? proxy = settings.Server.Scheme != "https"
            ? null
            : settings.Proxy ?? ProxyEnvironment.For(settings.Server, Environment.GetEnvironmentVariable);
        if (proxy is { Address.Scheme: "socks5" or "socks5h" } && settings.TlsServerName is not null)
        {
            throw new EngineException(
                Causes.KubeconfigUnsupported,
                $"The kubeconfig's tls-server-name goes together with an HTTP proxy, and not with {proxy}.");
        }

        return settings with { Proxy = proxy };
    }
}
