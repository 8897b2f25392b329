using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>
/// Holds containers against what the server made of a request of ours. So a mirror, or a policy that changes every
/// debug container, makes no difference, and one that somebody put under our mark does.
/// </summary>
internal static class ContainerMatch
{
    private static readonly string[] s_whole =
    [
        "image", "securityContext", "args", "targetContainerName", "workingDir", "envFrom", "volumeMounts",
        "volumeDevices",
    ];

    /// <summary>
    /// Whether a container is what the server made of the request. Its interpreter may be another of the candidates.
    /// </summary>
    public static bool IsSame(JsonObject there, ProfileChoice choice, IReadOnlyList<string> interpreters)
    {
        List<string> command = KubeJson.Texts(there, "command");
        List<string> wanted = KubeJson.Texts(choice.Made, "command");
        bool interpreter = command.Count > 0 && wanted.Count > 0
            && (command[0] == wanted[0] || (interpreters.Contains(wanted[0]) && interpreters.Contains(command[0])));
        return interpreter
            && command.Skip(1).SequenceEqual(wanted.Skip(1))
            && s_whole.All(f => IsEqual(there[f], choice.Made[f]))
            && HasSameVariables(there, choice.Made);
    }

    /// <summary>What the server changed that matters to who asked, as <c>runAsUser 10001 (not 0)</c>.</summary>
    public static IReadOnlyList<string> Changes(ProfileChoice choice)
    {
        List<string> changes = [];
        Compare("image", choice.Asked["image"], choice.Made["image"]);
        Compare("command", choice.Asked["command"], choice.Made["command"]);
        JsonObject? asked = KubeJson.Object(choice.Asked, "securityContext");
        JsonObject? made = KubeJson.Object(choice.Made, "securityContext");
        foreach (string field in (asked ?? []).Concat(made ?? []).Select(f => f.Key).Distinct())
        {
            Compare(field, asked?[field], made?[field]);
        }

        return changes;

        void Compare(string name, JsonNode? before, JsonNode? after)
        {
            if (!IsEqual(before, after))
            {
                changes.Add(
                    name == "command" ? "another command" : $"{name} {Short(after)} (not {Short(before)})");
            }
        }
    }

    private static string Short(JsonNode? node)
        => node is null ? "none" : node is JsonValue value && value.TryGetValue(out string? text) ? text
            : node.ToJsonString();

    private static bool HasSameVariables(JsonObject there, JsonObject made)
    {
        Dictionary<string, JsonObject> actual = Variables(there);
        Dictionary<string, JsonObject> wanted = Variables(made);
        return actual.Count == wanted.Count
            && actual.All(v => wanted.TryGetValue(v.Key, out JsonObject? other) && IsEqual(v.Value, other));
    }

    private static Dictionary<string, JsonObject> Variables(JsonObject container)
    {
        Dictionary<string, JsonObject> variables = [];
        foreach (JsonObject entry in KubeJson.Objects(container, "env"))
        {
            if (KubeJson.Text(entry, "name") is string name && name != SessionMark.Variable)
            {
                variables[name] = entry;
            }
        }

        return variables;
    }

    /// <summary>Whether two values are the same; what is empty is the same as what is not there.</summary>
    private static bool IsEqual(JsonNode? one, JsonNode? other)
        => JsonNode.DeepEquals(Plain(one), Plain(other));

    private static JsonNode? Plain(JsonNode? node)
    {
        // By way of its text, as numbers of different types are not equal otherwise.
        JsonNode? plain = node is null ? null : JsonNode.Parse(node.ToJsonString());
        return plain is JsonObject { Count: 0 } or JsonArray { Count: 0 } ? null : plain;
    }
}
