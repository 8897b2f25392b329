using System;
using System.IO;
using System.Text;
using PyDebug.Sandbox.Api;

namespace PyDebug.Sandbox;

/// <summary>Writes kubeconfigs that only their owner can read.</summary>
internal static class KubeconfigFile
{
    public static void Write(string path, string server, string authorityPem, User user)
    {
        string authority = Convert.ToBase64String(Encoding.ASCII.GetBytes(authorityPem));
        string text = $"""
            apiVersion: v1
            kind: Config
            clusters:
            - name: pydebug-sandbox
              cluster:
                server: {server}
                certificate-authority-data: {authority}
            users:
            - name: {user.Name}
              user:
                token: {user.Token}
            contexts:
            - name: pydebug-sandbox
              context:
                cluster: pydebug-sandbox
                user: {user.Name}
                namespace: default
            current-context: pydebug-sandbox

            """;
        FileStreamOptions options = new()
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using StreamWriter writer = new(path, options);
        writer.Write(text);
    }
}
