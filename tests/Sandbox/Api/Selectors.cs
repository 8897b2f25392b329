using System;
using System.Linq;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>The label and field selectors of a list or a watch.</summary>
internal sealed partial class Selectors(string? labels, string? fields)
{
    public bool Match(JsonObject value) => MatchFields(value) && MatchLabels(value);

    private bool MatchFields(JsonObject value) => Split(fields).All(term =>
    {
        Match match = Equality().Match(term);
        if (!match.Success)
        {
            throw ApiException.BadRequest($"invalid field selector: \"{term}\"");
        }

        string actual = value.Text(match.Groups[1].Value.Split('.')) ?? "";
        return (actual == match.Groups[3].Value) == (match.Groups[2].Value != "!=");
    });

    private bool MatchLabels(JsonObject value) => Split(labels).All(term =>
    {
        JsonObject own = value.Object("metadata", "labels") ?? [];
        Match set = Membership().Match(term);
        if (set.Success)
        {
            string? label = own.Text(set.Groups[1].Value);
            bool member = label is not null && set.Groups[3].Value.Split(',').Any(item => item.Trim() == label);
            return member == (set.Groups[2].Value == "in");
        }

        Match match = Equality().Match(term);
        if (match.Success)
        {
            return (own.Text(match.Groups[1].Value) == match.Groups[3].Value) == (match.Groups[2].Value != "!=");
        }

        return term.StartsWith('!') ? !own.ContainsKey(term[1..]) : own.ContainsKey(term);
    });

    /// <summary>Commas between terms, not those inside parentheses.</summary>
    private static string[] Split(string? selector) =>
        string.IsNullOrEmpty(selector)
            ? []
            : Comma().Split(selector).Select(term => term.Trim()).Where(term => term.Length > 0).ToArray();

    [GeneratedRegex(@",(?![^()]*\))")]
    private static partial Regex Comma();

    [GeneratedRegex(@"^([A-Za-z0-9._/-]+)\s*(==|!=|=)\s*(.*)$", RegexOptions.Singleline)]
    private static partial Regex Equality();

    [GeneratedRegex(@"^(\S+)\s+(in|notin)\s*\(([^)]*)\)$")]
    private static partial Regex Membership();
}
