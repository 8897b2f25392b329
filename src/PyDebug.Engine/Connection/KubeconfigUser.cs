using System;
using System.Collections.Generic;
using System.Linq;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>Turns a kubeconfig's user into a source of credentials and impersonation headers.</summary>
internal static class KubeconfigUser
{
    public static CredentialSource Credentials(
        KubeconfigEntry? user, KubeconfigEntry cluster, ConnectionOptions options)
    {
        if (user is null)
        {
            return new FixedCredentialSource(Credential.None);
        }

        if (user.Value.ContainsKey("auth-provider"))
        {
            throw user.Unsupported("auth-provider");
        }

        X509Certificate2Collection chain = [];
        X509Certificate2? certificate = ClientCertificate(user, chain);
        Credential plain = new() { Certificate = certificate, Intermediates = chain };
        if (user.FilePath("tokenFile") is string path)
        {
            // One that was named for this once may be anybody's; those that kubectl takes are the user's own.
            TokenFileCredentialSource source = new(
                path,
                plain,
                options.Kubeconfig is null ? null : [user.Folder, ConnectionResolver.ServiceAccount]);
            source.Locate();
            return source;
        }

        string? authorization = user.Text("token") is string token
            ? Credential.Bearer(token)
            : user.Text("username") is string name
                ? "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{name}:{user.Text("password")}"))
                : null;
        if (authorization is null && certificate is null && user.Value["exec"] is JsonNode exec)
        {
            return new ExecCredentialSource(
                Plugin(user, exec as JsonObject, cluster, options), options.Tell, options.Warn);
        }

        if (certificate is not null && CertificateFiles(user) is { Length: > 0 } files)
        {
            return new CertificateFileCredentialSource(
                files,
                () =>
                {
                    X509Certificate2Collection others = [];
                    X509Certificate2? own = ClientCertificate(user, others);
                    return new() { Authorization = authorization, Certificate = own, Intermediates = others };
                });
        }

        return new FixedCredentialSource(
            new Credential { Authorization = authorization, Certificate = certificate, Intermediates = chain });
    }

    public static IReadOnlyList<KeyValuePair<string, string>> Impersonation(KubeconfigEntry? user)
    {
        List<KeyValuePair<string, string>> headers = [];
        if (user is null)
        {
            return headers;
        }

        if (user.Text("as") is string name)
        {
            headers.Add(new("Impersonate-User", name));
        }

        if (user.Text("as-uid") is string uid)
        {
            headers.Add(new("Impersonate-Uid", uid));
        }

        headers.AddRange(KubeJson.Texts(user.Value, "as-groups").Select(
            g => new KeyValuePair<string, string>("Impersonate-Group", g)));
        foreach (KeyValuePair<string, JsonNode?> extra in KubeJson.Object(user.Value, "as-user-extra") ?? [])
        {
            headers.AddRange(KubeJson.Texts(extra.Value).Select(
                v => new KeyValuePair<string, string>("Impersonate-Extra-" + Uri.EscapeDataString(extra.Key), v)));
        }

        if (headers.Count > 0 && headers[0].Key != "Impersonate-User")
        {
            throw user.Invalid("it impersonates groups or more without a user in 'as'");
        }

        if (headers.Exists(h => h.Value.Any(c => char.IsControl(c) || c > '~')))
        {
            throw user.Unsupported("as (with characters that a header cannot carry)");
        }

        return headers;
    }

    private static string[] CertificateFiles(KubeconfigEntry user)
        => [.. new[] { "client-certificate", "client-key" }.Where(f => user.Text(f + "-data") is null)
            .Select(user.FilePath).OfType<string>()];

    private static X509Certificate2? ClientCertificate(KubeconfigEntry user, X509Certificate2Collection chain)
    {
        byte[]? certificate = user.Data("client-certificate");
        byte[]? key = user.Data("client-key");
        if (certificate is null && key is null)
        {
            return null;
        }

        if (certificate is null || key is null)
        {
            throw user.Invalid("a client certificate and its key belong together, and one of them is missing");
        }

        try
        {
            return Certificates.ReadClient(certificate, key, chain);
        }
        catch (CryptographicException)
        {
            throw user.Invalid("the client certificate or its key cannot be read");
        }
    }

    private static ExecPlugin Plugin(
        KubeconfigEntry user, JsonObject? exec, KubeconfigEntry cluster, ConnectionOptions options)
    {
        string command = KubeJson.Text(exec, "command") ?? throw user.Invalid("'exec' names no command");
        string version = KubeJson.Text(exec, "apiVersion") ?? throw user.Invalid("'exec' names no apiVersion");
        if (version is not ("client.authentication.k8s.io/v1" or "client.authentication.k8s.io/v1beta1"))
        {
            throw user.Unsupported($"exec with apiVersion {version}");
        }

        if (KubeJson.Text(exec, "interactiveMode") == "Always")
        {
            throw user.Unsupported("exec with interactiveMode Always");
        }

        bool isPath = command.AsSpan().ContainsAny('/', '\\');
        string? program = isPath ? user.Resolve(command) : ProgramPath.Find(command);
        (options.Policy ?? TeamPolicy.Installed()).CheckLoginHelper(command, program);
        return new ExecPlugin
        {
            Command = isPath ? program! : command,
            ApiVersion = version,
            Arguments = [.. ((exec?["args"] as JsonArray) ?? []).Select(a => a?.ToString() ?? string.Empty)],
            Environment = [.. KubeJson.Objects(exec, "env").Where(e => !string.IsNullOrEmpty(e["name"]?.ToString()))
                .Select(e => KeyValuePair.Create(e["name"]!.ToString(), e["value"]?.ToString() ?? string.Empty))],
            InstallHint = KubeJson.Text(exec, "installHint"),
            Cluster = KubeJson.Flag(exec, "provideClusterInfo") == true ? ClusterInfo(cluster) : null,
        };
    }

    private static JsonObject ClusterInfo(KubeconfigEntry cluster)
    {
        JsonObject info = new() { ["server"] = cluster.Text("server") };
        foreach (string field in new[] { "tls-server-name", "proxy-url" })
        {
            if (cluster.Text(field) is string value)
            {
                info[field] = value;
            }
        }

        if (KubeJson.Flag(cluster.Value, "insecure-skip-tls-verify") == true)
        {
            info["insecure-skip-tls-verify"] = true;
        }

        if (cluster.Data("certificate-authority") is byte[] authority)
        {
            info["certificate-authority-data"] = Convert.ToBase64String(authority);
        }

        foreach (JsonObject extension in KubeJson.Objects(cluster.Value, "extensions"))
        {
            if (KubeJson.Text(extension, "name") == "client.authentication.k8s.io/exec")
            {
                info["config"] = extension["extension"]?.DeepClone();
            }
        }

        return info;
    }
}
