using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>Discovery, version and health: what a client asks before it asks for anything.</summary>
internal static class Discovery
{
    private const string Version = "v1.36.0";

    private static readonly (string Name, string Kind, bool Namespaced, string[] Short, string[] Verbs)[] s_core =
    [
        ("namespaces", "Namespace", false, ["ns"], ["create", "delete", "get", "list", "patch", "watch"]),
        ("nodes", "Node", false, ["no"], ["get", "list", "watch"]),
        ("events", "Event", true, ["ev"], ["get", "list", "watch"]),
        ("pods", "Pod", true, ["po"],
            ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]),
        ("pods/attach", "PodAttachOptions", true, [], ["create", "get"]),
        ("pods/ephemeralcontainers", "Pod", true, [], ["get", "patch", "update"]),
        ("pods/exec", "PodExecOptions", true, [], ["create", "get"]),
        ("pods/log", "Pod", true, [], ["get"]),
        ("pods/status", "Pod", true, [], ["get"]),
    ];

    private static readonly (string Group, string Resource, string Kind)[] s_groups =
    [
        ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
        ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ];

    /// <summary>The answer to a path, or null where it is none of these.</summary>
    public static JsonNode? Answer(string path) => path.TrimEnd('/') switch
    {
        "/version" => BuildVersion(),
        "/api" => new JsonObject
        {
            ["kind"] = "APIVersions",
            ["versions"] = JsonAccess.ToArray(["v1"]),
            ["serverAddressByClientCIDRs"] = new JsonArray(),
        },
        "/api/v1" => BuildList("v1", s_core.Select(BuildResource)),
        "/apis" => new JsonObject
        {
            ["kind"] = "APIGroupList",
            ["apiVersion"] = "v1",
            ["groups"] = new JsonArray([.. s_groups.Select(group => (JsonNode)BuildGroup(group.Group))]),
        },
        "/openapi/v3" => new JsonObject
        {
            ["paths"] = new JsonObject
            {
                ["api/v1"] = new JsonObject { ["serverRelativeURL"] = "/openapi/v3/api/v1?hash=1" },
            },
        },
        "/openapi/v3/api/v1" => BuildOpenApi(),
        string other => AnswerGroup(other),
    };

    private static JsonNode? AnswerGroup(string path)
    {
        foreach ((string group, string resource, string kind) in s_groups)
        {
            if (path == "/apis/" + group)
            {
                return BuildGroup(group);
            }

            if (path == $"/apis/{group}/v1")
            {
                return BuildList($"{group}/v1", [BuildResource((resource, kind, false, [], ["create"]))]);
            }
        }

        return null;
    }

    private static JsonObject BuildVersion() => new()
    {
        ["major"] = "1",
        ["minor"] = "36",
        ["gitVersion"] = Version + "+pydebug-sandbox",
        ["gitCommit"] = "",
        ["gitTreeState"] = "clean",
        ["buildDate"] = "1970-01-01T00:00:00Z",
        ["goVersion"] = "",
        ["compiler"] = "",
        ["platform"] = "linux/" + (Environment.Is64BitProcess ? "amd64" : "386"),
    };

    private static JsonObject BuildList(string version, IEnumerable<JsonNode> resources) => new()
    {
        ["kind"] = "APIResourceList",
        ["apiVersion"] = "v1",
        ["groupVersion"] = version,
        ["resources"] = new JsonArray([.. resources]),
    };

    private static JsonNode BuildResource(
        (string Name, string Kind, bool Namespaced, string[] Short, string[] Verbs) resource)
    {
        JsonObject result = new()
        {
            ["name"] = resource.Name,
            ["singularName"] =
                resource.Name.Contains('/', StringComparison.Ordinal) ? "" : resource.Kind.ToLowerInvariant(),
            ["namespaced"] = resource.Namespaced,
            ["kind"] = resource.Kind,
            ["verbs"] = JsonAccess.ToArray(resource.Verbs),
        };
        if (resource.Short.Length > 0)
        {
            result["shortNames"] = JsonAccess.ToArray(resource.Short);
        }

        return result;
    }

    private static JsonObject BuildGroup(string name)
    {
        JsonObject Version() => new() { ["groupVersion"] = name + "/v1", ["version"] = "v1" };
        return new JsonObject
        {
            ["kind"] = "APIGroup",
            ["apiVersion"] = "v1",
            ["name"] = name,
            ["versions"] = new JsonArray(Version()),
            ["preferredVersion"] = Version(),
        };
    }

    /// <summary>Enough of a description that kubectl sees field validation is the server's business.</summary>
    private static JsonObject BuildOpenApi()
    {
        JsonObject paths = [];
        foreach ((string path, string kind) in ((string, string)[])
        [
            ("/api/v1/namespaces/{namespace}/pods/{name}", "Pod"), ("/api/v1/namespaces/{name}", "Namespace"),
        ])
        {
            paths[path] = new JsonObject
            {
                ["patch"] = new JsonObject
                {
                    ["parameters"] = new JsonArray(
                        Parameter("fieldValidation"), Parameter("dryRun"), Parameter("fieldManager")),
                    ["x-kubernetes-group-version-kind"] =
                        new JsonObject { ["group"] = "", ["version"] = "v1", ["kind"] = kind },
                    ["responses"] = new JsonObject(),
                },
            };
        }

        return new JsonObject
        {
            ["openapi"] = "3.0.0",
            ["info"] = new JsonObject { ["title"] = "Kubernetes", ["version"] = Version },
            ["paths"] = paths,
            ["components"] = new JsonObject(),
        };
    }

    private static JsonObject Parameter(string name) => new()
    {
        ["name"] = name,
        ["in"] = "query",
        ["schema"] = new JsonObject { ["type"] = "string" },
    };
}
