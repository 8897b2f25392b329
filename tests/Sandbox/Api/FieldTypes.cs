using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>Refuses containers whose fields have another type than the API's, as its decoder does.</summary>
internal static class FieldTypes
{
    private static readonly string[] s_texts =
    [
        "name", "image", "workingDir", "imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy",
        "targetContainerName",
    ];

    private static readonly string[] s_flags = ["stdin", "stdinOnce", "tty"];
    private static readonly string[] s_textLists = ["command", "args"];
    private static readonly string[] s_lists = ["env", "envFrom", "volumeMounts", "ports"];
    private static readonly string[] s_securityFlags =
        ["privileged", "runAsNonRoot", "readOnlyRootFilesystem", "allowPrivilegeEscalation"];

    /// <summary>
    /// For the first field that does not fit 400 with the decoder's message, or 422 where it came by strategic merge
    /// patch, which is decoded in another way.
    /// </summary>
    public static void Check(JsonObject pod, bool strategic = false)
    {
        try
        {
            CheckContainers(pod);
        }
        catch (FormatException mismatch) when (strategic)
        {
            string type = mismatch.Message[(mismatch.Message.LastIndexOf(' ') + 1)..];
            throw ApiException.Invalid("", "", [FieldError.InvalidText("patch", "", "unrecognized type: " + type)]);
        }
        catch (FormatException mismatch)
        {
            throw ApiException.BadRequest("Pod in version \"v1\" cannot be handled as a Pod: " + mismatch.Message);
        }
    }

    private static void CheckContainers(JsonObject pod)
    {
        foreach ((string list, string type) in ((string, string)[])
        [
            ("containers", "Container"), ("initContainers", "Container"), ("ephemeralContainers", "EphemeralContainer"),
        ])
        {
            foreach (JsonObject container in pod.Items("spec", list))
            {
                string path = "spec." + list;
                Expect(container, s_texts, JsonValueKind.String, "string", type, path);
                Expect(container, s_flags, JsonValueKind.True, "bool", type, path);
                Expect(container, s_lists, JsonValueKind.Array, "[]object", type, path);
                Expect(container, s_textLists, JsonValueKind.Array, "[]string", type, path);
                foreach (string field in s_textLists)
                {
                    ExpectTexts(container, field, type, path);
                }

                Expect(container, ["securityContext"], JsonValueKind.Object, "v1.SecurityContext", type, path);
                if (container.Object("securityContext") is JsonObject security)
                {
                    path += ".securityContext";
                    Expect(security, s_securityFlags, JsonValueKind.True, "bool", "SecurityContext", path);
                    Expect(
                        security, ["runAsUser", "runAsGroup"], JsonValueKind.Number, "int64", "SecurityContext", path);
                }

                foreach (JsonObject variable in container.Items("env"))
                {
                    Expect(variable, ["name", "value"], JsonValueKind.String, "string", "EnvVar", $"spec.{list}.env");
                }
            }
        }
    }

    private static void ExpectTexts(JsonObject value, string field, string type, string path)
    {
        foreach (JsonNode? item in value[field] as JsonArray ?? [])
        {
            if (item is not null && item.GetValueKind() != JsonValueKind.String)
            {
                throw Mismatch(item, type, $"{path}.{field}", "string");
            }
        }
    }

    private static void Expect(
        JsonObject value, IEnumerable<string> fields, JsonValueKind kind, string expected, string type, string path)
    {
        foreach (string field in fields)
        {
            if (value[field] is not JsonNode node)
            {
                continue;
            }

            JsonValueKind actual = node.GetValueKind();
            if ((actual == JsonValueKind.False ? JsonValueKind.True : actual) != kind)
            {
                throw Mismatch(node, type, $"{path}.{field}", expected);
            }
        }
    }

    private static FormatException Mismatch(JsonNode node, string type, string path, string expected)
    {
        string actual = node.GetValueKind() switch
        {
            JsonValueKind.True or JsonValueKind.False => "bool",
            JsonValueKind.Object => "object",
            JsonValueKind.Array => "array",
            JsonValueKind.Number => "number",
            _ => "string",
        };
        return new FormatException(
            $"json: cannot unmarshal {actual} into Go struct field {type}.{path} of type {expected}");
    }
}
