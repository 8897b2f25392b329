using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>Which container of a pod an exec or a log request means.</summary>
internal static class ContainerLookup
{
    /// <summary>The name asked for, or that of the only container; 400 in the API's words otherwise.</summary>
    public static string Choose(JsonObject pod, string? asked)
    {
        List<string> main = Names(pod, "containers");
        List<string> init = Names(pod, "initContainers");
        List<string> ephemeral = Names(pod, "ephemeralContainers");
        if (!string.IsNullOrEmpty(asked))
        {
            return main.Concat(init).Concat(ephemeral).Contains(asked)
                ? asked
                : throw ApiException.BadRequest($"container {asked} is not valid for pod {pod.NameOf()}");
        }

        if (main.Count == 1)
        {
            return main[0];
        }

        string message = $"a container name must be specified for pod {pod.NameOf()}, choose one of: "
            + $"[{string.Join(' ', main)}]";
        if (init.Count > 0)
        {
            message += $" or one of the init containers: [{string.Join(' ', init)}]";
        }

        if (ephemeral.Count > 0)
        {
            message += $" or one of the ephemeral containers: [{string.Join(' ', ephemeral)}]";
        }

        throw ApiException.BadRequest(message);
    }

    /// <summary>400 where the pod is on no node.</summary>
    public static void RequireNode(JsonObject pod)
    {
        if (pod.Text("spec", "nodeName") is null)
        {
            throw ApiException.BadRequest($"pod {pod.NameOf()} does not have a host assigned");
        }
    }

    private static List<string> Names(JsonObject pod, string list) =>
        pod.Items("spec", list).Select(item => item.Text("name") ?? "").ToList();
}
