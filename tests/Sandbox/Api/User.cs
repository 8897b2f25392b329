using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>Somebody with a token, and what RBAC would let them do.</summary>
/// <param name="Name">As the API's messages call them.</param>
/// <param name="Token">The bearer token.</param>
/// <param name="Rules">
/// Objects with <c>verbs</c>, <c>resources</c> and, optionally, <c>namespaces</c>; <c>*</c> is all.
/// </param>
internal sealed record User(string Name, string Token, IReadOnlyList<JsonObject> Rules)
{
    public bool May(string verb, string resource, string space) =>
        Rules.Any(rule => Matches(rule, "verbs", verb) && Matches(rule, "resources", resource)
            && (rule["namespaces"] is null || Matches(rule, "namespaces", space)));

    public static User Administrator(string token) =>
        new("kubernetes-admin", token, [Rule(["*"], ["*"])]);

    public static JsonObject Rule(string[] verbs, string[] resources) => new()
    {
        ["verbs"] = JsonAccess.ToArray(verbs),
        ["resources"] = JsonAccess.ToArray(resources),
    };

    private static bool Matches(JsonObject rule, string field, string value) =>
        rule.Texts(field).Any(text => text == "*" || text.Equals(value, StringComparison.Ordinal));
}
