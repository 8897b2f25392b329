using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>A container's environment and command, with references resolved as the kubelet does.</summary>
internal static partial class EnvironmentBuilder
{
    private const string DefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <exception cref="ContainerFailure">A value comes from something that is not there.</exception>
    public static IReadOnlyList<string> Build(JsonObject pod, JsonObject container, Image image)
    {
        Dictionary<string, string> values = new(StringComparer.Ordinal);
        List<string> order = [];
        void Set(string name, string value)
        {
            if (!values.ContainsKey(name))
            {
                order.Add(name);
            }

            values[name] = value;
        }

        foreach (string entry in image.Environment.Prepend(DefaultPath))
        {
            string[] parts = entry.Split('=', 2);
            Set(parts[0], parts.Length == 2 ? parts[1] : "");
        }

        Set("HOSTNAME", pod.Text("spec", "hostname") ?? pod.NameOf());
        RefuseMissing(container);
        foreach (JsonObject item in container.Items("env"))
        {
            string value = item.Object("valueFrom") is JsonObject from
                ? Resolve(pod, from)
                : Expand(item.Text("value") ?? "", values);
            Set(item.Text("name") ?? "", value);
        }

        return order.Select(name => name + "=" + values[name]).ToList();
    }

    /// <summary>The command line: the container's command and args over the image's.</summary>
    public static IReadOnlyList<string> Command(JsonObject container, Image image, IReadOnlyList<string> environment)
    {
        Dictionary<string, string> values = environment.Select(entry => entry.Split('=', 2))
            .ToDictionary(parts => parts[0], parts => parts[1], StringComparer.Ordinal);
        List<string> command = container.Texts("command").Select(text => Expand(text, values)).ToList();
        List<string> arguments = container.Texts("args").Select(text => Expand(text, values)).ToList();
        if (command.Count == 0)
        {
            return [.. image.Entrypoint, .. arguments.Count == 0 ? image.Command : arguments];
        }

        return [.. command, .. arguments];
    }

    private static void RefuseMissing(JsonObject container)
    {
        foreach (JsonObject source in container.Items("envFrom"))
        {
            RefuseReference(source, "configMapRef", "configmap");
            RefuseReference(source, "secretRef", "secret");
        }
    }

    private static string Resolve(JsonObject pod, JsonObject from)
    {
        RefuseReference(from, "configMapKeyRef", "configmap");
        RefuseReference(from, "secretKeyRef", "secret");
        string path = from.Text("fieldRef", "fieldPath") ?? "";
        Match keyed = KeyedPath().Match(path);
        return path switch
        {
            "status.podIP" or "status.podIPs" => pod.Text("status", "podIP") ?? "",
            "status.hostIP" => NodeContext.HostAddress,
            "spec.nodeName" => NodeContext.NodeName,
            "spec.serviceAccountName" => "default",
            _ when keyed.Success => pod.Text("metadata", keyed.Groups[1].Value, keyed.Groups[2].Value) ?? "",
            _ => pod.Text(path.Split('.')) ?? "",
        };
    }

    /// <summary>There are no ConfigMaps and no secrets here, so one that must be there is missing.</summary>
    private static void RefuseReference(JsonObject source, string field, string kind)
    {
        if (source.Object(field) is JsonObject reference && reference.Flag("optional") != true)
        {
            throw new ContainerFailure(
                "CreateContainerConfigError", $"{kind} \"{reference.Text("name")}\" not found");
        }
    }

    private static string Expand(string text, Dictionary<string, string> values)
    {
        StringBuilder result = new();
        int position = 0;
        foreach (Match match in Reference().Matches(text))
        {
            result.Append(text, position, match.Index - position);
            position = match.Index + match.Length;
            string name = match.Groups[1].Value;
            result.Append(match.Value == "$$" ? "$" : values.GetValueOrDefault(name, match.Value));
        }

        return result.Append(text, position, text.Length - position).ToString();
    }

    [GeneratedRegex(@"^metadata\.(labels|annotations)\['([^']+)'\]$")]
    private static partial Regex KeyedPath();

    [GeneratedRegex(@"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")]
    private static partial Regex Reference();
}
