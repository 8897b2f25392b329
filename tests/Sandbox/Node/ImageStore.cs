using System;
using System.IO;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>
/// The images below one directory: <c>NAME/rootfs</c> and <c>NAME/config.json</c> are <c>pydebug.test/NAME:1</c>.
/// </summary>
internal sealed partial class ImageStore(string directory)
{
    private const string Registry = "pydebug.test/";
    private const string Tag = ":1";

    /// <summary>The image, or null where there is none of that name.</summary>
    public Image? Find(string reference)
    {
        if (!reference.StartsWith(Registry, StringComparison.Ordinal)
            || !reference.EndsWith(Tag, StringComparison.Ordinal))
        {
            return null;
        }

        string name = reference[Registry.Length..^Tag.Length];
        string home = Path.Combine(directory, name);
        string config = Path.Combine(home, "config.json");
        if (!NamePattern().IsMatch(name) || !Directory.Exists(Path.Combine(home, "rootfs")) || !File.Exists(config))
        {
            return null;
        }

        byte[] bytes = File.ReadAllBytes(config);
        JsonNode? json = JsonNode.Parse(bytes);
        string id = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));
        return new Image(reference, id, Path.Combine(home, "rootfs"), json.Texts("Entrypoint"), json.Texts("Cmd"),
            json.Texts("Env"), json.Text("User") ?? "", json.Text("WorkingDir") ?? "");
    }

    /// <summary>The kubelet's complaint about a name that is no image reference, or null.</summary>
    public static string? Complaint(string reference)
    {
        if (ReferencePattern().IsMatch(reference))
        {
            return null;
        }

        string[] parts = reference.Split('/', 2);
        bool registry = parts.Length == 2 && parts[0].AsSpan().ContainsAny('.', ':');
        string repository = (registry ? parts[1] : "library/" + reference).Split(':')[0];
        string why = ReferencePattern().IsMatch(reference.ToLowerInvariant())
            ? $"invalid reference format: repository name ({repository}) must be lowercase"
            : "invalid reference format";
        return $"Failed to apply default image tag \"{reference}\": couldn't parse image name \"{reference}\": {why}";
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9._-]*$")]
    private static partial Regex NamePattern();

    [GeneratedRegex("^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
        + "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$")]
    private static partial Regex ReferencePattern();
}
