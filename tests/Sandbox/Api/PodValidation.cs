using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>What the API server finds wrong with a pod, in its words.</summary>
internal static partial class PodValidation
{
    private const string LabelRule = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or "
        + "'-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
        + "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

    private const string SubdomainRule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
        + "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
        + "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    private static readonly string[] s_ephemeralFields =
    [
        "name", "image", "command", "args", "workingDir", "envFrom", "env", "volumeMounts", "volumeDevices",
        "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "securityContext", "stdin",
        "stdinOnce", "tty", "targetContainerName",
    ];

    /// <summary>All errors of a pod that is to be created.</summary>
    public static IReadOnlyList<FieldError> Validate(JsonObject pod)
    {
        List<FieldError> errors = [];
        string name = pod.NameOf();
        if (name.Length == 0)
        {
            errors.Add(FieldError.Required("metadata.name", "name or generateName is required"));
        }
        else if (!Subdomain().IsMatch(name) || name.Length > 253)
        {
            errors.Add(FieldError.InvalidText("metadata.name", name, SubdomainRule));
        }

        HashSet<string> names = new(StringComparer.Ordinal);
        IReadOnlyList<JsonObject> containers = pod.Items("spec", "containers");
        if (containers.Count == 0)
        {
            errors.Add(FieldError.Required("spec.containers"));
        }

        ValidateContainers(pod, containers, "spec.containers", names, errors);
        ValidateContainers(pod, pod.Items("spec", "initContainers"), "spec.initContainers", names, errors);
        if (pod.Items("spec", "ephemeralContainers").Count > 0)
        {
            errors.Add(FieldError.Forbidden("spec.ephemeralContainers", "cannot be set on create"));
        }

        string policy = pod.Text("spec", "restartPolicy") ?? "";
        if (policy is not ("Always" or "OnFailure" or "Never"))
        {
            errors.Add(FieldError.NotSupported("spec.restartPolicy", policy, "Always", "OnFailure", "Never"));
        }

        return errors;
    }

    /// <summary>All errors of a change to a pod's ephemeral containers.</summary>
    public static IReadOnlyList<FieldError> ValidateEphemeral(JsonObject pod, JsonObject old)
    {
        if (old.Object("metadata", "annotations")?.ContainsKey("kubernetes.io/config.mirror") == true)
        {
            return [FieldError.Forbidden("", "static pods do not support ephemeral containers")];
        }

        List<FieldError> errors = [];
        HashSet<string> targets = pod.Items("spec", "containers").Concat(pod.Items("spec", "initContainers"))
            .Select(item => item.Text("name") ?? "").ToHashSet(StringComparer.Ordinal);
        HashSet<string> names = new(targets, StringComparer.Ordinal);
        IReadOnlyList<JsonObject> entries = pod.Items("spec", "ephemeralContainers");
        ValidateContainers(pod, entries, "spec.ephemeralContainers", names, errors);
        for (int i = 0; i < entries.Count; i++)
        {
            ValidateEphemeralOnly(entries[i], $"spec.ephemeralContainers[{i}]", targets, errors);
        }

        foreach (JsonObject before in old.Items("spec", "ephemeralContainers"))
        {
            string name = before.Text("name") ?? "";
            JsonObject? after = entries.FirstOrDefault(item => item.Text("name") == name);
            if (after is null)
            {
                errors.Add(FieldError.Forbidden("spec.ephemeralContainers",
                    $"existing ephemeral containers \"{name}\" may not be removed\n"));
            }
            else if (!JsonNode.DeepEquals(before, after))
            {
                errors.Add(FieldError.Forbidden("spec.ephemeralContainers",
                    $"existing ephemeral containers \"{name}\" may not be changed\n{Difference(before, after)}"));
            }
        }

        return errors;
    }

    private static void ValidateEphemeralOnly(
        JsonObject container, string path, HashSet<string> targets, List<FieldError> errors)
    {
        if (container.Text("targetContainerName") is { Length: > 0 } target && !targets.Contains(target))
        {
            errors.Add(FieldError.NotFound(path + ".targetContainerName", target));
        }

        foreach ((string field, JsonNode? value) in container)
        {
            bool empty = value is null or JsonObject { Count: 0 } or JsonArray { Count: 0 };
            if (!empty && !s_ephemeralFields.Contains(field, StringComparer.Ordinal))
            {
                errors.Add(FieldError.Forbidden($"{path}.{field}", "cannot be set for an Ephemeral Container"));
            }
        }

        IReadOnlyList<JsonObject> mounts = container.Items("volumeMounts");
        for (int i = 0; i < mounts.Count; i++)
        {
            foreach (string field in (string[])["subPath", "subPathExpr"])
            {
                if (!string.IsNullOrEmpty(mounts[i].Text(field)))
                {
                    errors.Add(FieldError.Forbidden(
                        $"{path}.volumeMounts[{i}].{field}", "cannot be set for an Ephemeral Container"));
                }
            }
        }
    }

    private static void ValidateContainers(
        JsonObject pod, IReadOnlyList<JsonObject> containers, string field, HashSet<string> names,
        List<FieldError> errors)
    {
        HashSet<string> volumes = pod.Items("spec", "volumes").Select(item => item.Text("name") ?? "")
            .ToHashSet(StringComparer.Ordinal);
        for (int i = 0; i < containers.Count; i++)
        {
            JsonObject container = containers[i];
            string path = $"{field}[{i}]";
            string name = container.Text("name") ?? "";
            if (name.Length == 0)
            {
                errors.Add(FieldError.Required(path + ".name"));
            }
            else if (!Label().IsMatch(name) || name.Length > 63)
            {
                errors.Add(FieldError.InvalidText(path + ".name", name, LabelRule));
            }
            else if (!names.Add(name))
            {
                errors.Add(FieldError.Duplicate(path + ".name", name));
            }

            ValidateImage(container, path, errors);
            ValidateEnvironment(container, path, errors);
            ValidateMounts(container, path, volumes, errors);
            ContainerSecurityValidation.Validate(
                container.Object("securityContext"), path + ".securityContext", errors);
        }
    }

    private static void ValidateImage(JsonObject container, string path, List<FieldError> errors)
    {
        string image = container.Text("image") ?? "";
        if (image.Length == 0)
        {
            errors.Add(FieldError.Required(path + ".image"));
        }
        else if (image.Trim() != image)
        {
            errors.Add(FieldError.InvalidText(path + ".image", image, "must not have leading or trailing whitespace"));
        }

        string policy = container.Text("imagePullPolicy") ?? "IfNotPresent";
        if (policy is not ("Always" or "IfNotPresent" or "Never"))
        {
            errors.Add(FieldError.NotSupported(path + ".imagePullPolicy", policy, "Always", "IfNotPresent", "Never"));
        }
    }

    private static void ValidateEnvironment(JsonObject container, string path, List<FieldError> errors)
    {
        IReadOnlyList<JsonObject> environment = container.Items("env");
        for (int i = 0; i < environment.Count; i++)
        {
            string name = environment[i].Text("name") ?? "";
            if (name.Length == 0)
            {
                errors.Add(FieldError.Required($"{path}.env[{i}].name"));
            }
            else if (name.Contains('=', StringComparison.Ordinal))
            {
                errors.Add(FieldError.InvalidText($"{path}.env[{i}].name", name,
                    "a valid environment variable name must consist only of printable ASCII characters other than "
                    + "'='"));
            }

            if (environment[i].ContainsKey("valueFrom") && !string.IsNullOrEmpty(environment[i].Text("value")))
            {
                errors.Add(FieldError.InvalidText(
                    $"{path}.env[{i}].valueFrom", "", "may not be specified when `value` is not empty"));
            }
        }
    }

    private static void ValidateMounts(
        JsonObject container, string path, HashSet<string> volumes, List<FieldError> errors)
    {
        IReadOnlyList<JsonObject> mounts = container.Items("volumeMounts");
        for (int i = 0; i < mounts.Count; i++)
        {
            string name = mounts[i].Text("name") ?? "";
            if (!volumes.Contains(name))
            {
                errors.Add(FieldError.NotFound($"{path}.volumeMounts[{i}].name", name));
            }

            if (string.IsNullOrEmpty(mounts[i].Text("mountPath")))
            {
                errors.Add(FieldError.Required($"{path}.volumeMounts[{i}].mountPath"));
            }
        }
    }

    private static string Difference(JsonObject before, JsonObject after) => string.Concat(
        before.Select(field => field.Key).Union(after.Select(field => field.Key))
            .Where(field => !JsonNode.DeepEquals(before[field], after[field]))
            .Select(field => $"- {field}: {before[field]?.ToJsonString()}\n"
                + $"+ {field}: {after[field]?.ToJsonString()}\n"));

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    private static partial Regex Label();

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")]
    private static partial Regex Subdomain();
}
