using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Text.RegularExpressions;
using PyDebug.Engine;
using PyDebug.Internal;

namespace PyDebug.Errors;

/// <summary>
/// What an agent says about a failure, as far as advice may be chosen by it: numbers, words, and lists of these.
/// Whoever owns the pod can answer in the agent's place, so nothing that could be a sentence or a command gets through.
/// </summary>
internal static partial class PodFacts
{
    private static readonly HashSet<string> s_causes =
        [.. typeof(AgentCause).GetFields().Select(f => f.GetRawConstantValue()).OfType<string>()];

    /// <summary>The facts of a failure frame; <c>advice</c> is no fact.</summary>
    public static IReadOnlyDictionary<string, string> Of(JsonElement item)
        => item.Facts("detail")
            .Where(f => f.Key != "advice" && Harmless().IsMatch(f.Value))
            .ToDictionary(f => f.Key, f => f.Value);

    /// <summary>The cause of a failure frame; one that no agent has is a failure of the agent itself.</summary>
    public static string CauseOf(JsonElement item)
        => item.Text("cause") is string cause && s_causes.Contains(cause) ? cause : AgentCause.Internal;

    [GeneratedRegex(
        @"\A(?:[A-Za-z][A-Za-z0-9]{0,31}(?:,[A-Za-z][A-Za-z0-9]{0,31}){0,31}|\[?[0-9][0-9., \]]{0,255})\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex Harmless();
}
