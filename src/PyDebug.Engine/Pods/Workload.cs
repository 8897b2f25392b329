using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>An object that has pods, as far as it takes to find them.</summary>
internal sealed class Workload
{
    public required WorkloadKind Kind { get; init; }

    public required string Name { get; init; }

    public required string Uid { get; init; }

    /// <summary>Its label selector as a query takes it; null where it has none.</summary>
    public string? Selector { get; init; }

    public static Workload Read(WorkloadKind kind, JsonObject found) => new()
    {
        Kind = kind,
        Name = KubeJson.Text(found, "metadata", "name") ?? string.Empty,
        Uid = KubeJson.Text(found, "metadata", "uid") ?? string.Empty,
        Selector = SelectorOf(KubeJson.Object(found, "spec", "selector")),
    };

    /// <summary>
    /// Whether it controls the pod: another workload's selector may match the same labels. A Deployment controls its
    /// pods through ReplicaSets, whose name is its own and the hash that their pods carry.
    /// </summary>
    public bool Controls(PodInfo pod)
        => Kind == WorkloadKind.Deployment
            ? pod.Owner is { Kind: "ReplicaSet", TemplateHash: string hash } && pod.Owner.Name == $"{Name}-{hash}"
            : pod.Owner?.Uid == Uid;

    private static string? SelectorOf(JsonObject? selector)
    {
        List<string> terms = [];
        foreach ((string key, JsonNode? value) in KubeJson.Object(selector, "matchLabels") ?? [])
        {
            terms.Add($"{key}={value}");
        }

        foreach (JsonObject expression in KubeJson.Objects(selector, "matchExpressions"))
        {
            string key = KubeJson.Text(expression, "key") ?? string.Empty;
            string values = string.Join(",", KubeJson.Texts(expression, "values"));
            terms.Add(KubeJson.Text(expression, "operator") switch
            {
                "In" => $"{key} in ({values})",
                "NotIn" => $"{key} notin ({values})",
                "DoesNotExist" => $"!{key}",
                _ => key,
            });
        }

        return terms.Count == 0 ? null : string.Join(",", terms);
    }
}
