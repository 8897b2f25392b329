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
    public static CredentialSource Credentials(KubeconfigEntry? user, KubeconfigEntry cluster)
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
            return new TokenFileCredentialSource(path, plain);
        }

        string? authorization = user.Text("token") is string token
            ? Credential.Bearer(token)
            : user.Text("username") is string name
                ? "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{name}:{user.Text("password")}"))
                : null;
        if (authorization is null && certificate is null && user.Value["exec"] is JsonNode exec)
        {
            return new ExecCredentialSource(Plugin(user, exec as JsonObject, cluster));
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

    private static ExecPlugin Plugin(KubeconfigEntry user, JsonObject? exec, KubeconfigEntry cluster)
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

        return new ExecPlugin
        {
            Command = command.AsSpan().ContainsAny('/', '\\') ? user.Resolve(command) : command,
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
