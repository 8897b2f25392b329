using System.Text.Json.Nodes;
using PyDebug.Sandbox.Api;

namespace PyDebug.Tests.Sandbox;

/// <summary>Pods for the tests of the sandbox.</summary>
internal static class Pods
{
    /// <summary>A pod "web" of one container "app", as the server stores it.</summary>
    public static JsonObject Stored()
    {
        JsonObject pod = Parse("""
            {"metadata":{"name":"web"},"spec":{"containers":[{"name":"app","image":"pydebug.test/badapp:1"}]}}
            """);
        PodDefaults.Apply(pod, "default");
        pod["metadata"]!["resourceVersion"] = "7";
        return pod;
    }

    /// <summary>The stored pod with these ephemeral containers.</summary>
    public static JsonObject With(string ephemeral)
    {
        JsonObject pod = Stored();
        pod["spec"]!["ephemeralContainers"] = JsonNode.Parse(ephemeral);
        return pod;
    }

    public static JsonObject Parse(string json) => (JsonObject)JsonNode.Parse(json)!;
}
