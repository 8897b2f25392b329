using System.Collections.Generic;
using System.Text.RegularExpressions;

namespace PyDebug.Engine;

/// <summary>Reads which permission a refused request lacked, out of the words of Kubernetes' authorizers.</summary>
internal static partial class MissingRight
{
    /// <summary>
    /// The details that name it, as <c>verb</c>, <c>resource</c> and <c>namespace</c>; none where nothing is said.
    /// </summary>
    public static Dictionary<string, string> Read(string? message)
    {
        Match match = Words().Match(message ?? string.Empty);
        if (!match.Success)
        {
            return [];
        }

        string group = match.Groups["group"].Value;
        string resource = match.Groups["resource"].Value;
        int slash = resource.IndexOf('/');
        // As kubectl auth can-i takes it: deployments.apps, and the subresource behind that.
        string full = group.Length == 0 ? resource
            : slash < 0 ? $"{resource}.{group}"
            : $"{resource[..slash]}.{group}{resource[slash..]}";
        Dictionary<string, string> right = new() { ["verb"] = match.Groups["verb"].Value, ["resource"] = full };
        if (match.Groups["namespace"].Success)
        {
            right["namespace"] = match.Groups["namespace"].Value;
        }

        return right;
    }

    [GeneratedRegex(
        "cannot (?<verb>[a-z]{1,20}) resource \"(?<resource>[a-z0-9/.-]{1,80})\" in API group "
        + "\"(?<group>[a-z0-9.-]{0,80})\"(?: in the namespace \"(?<namespace>[a-z0-9-]{1,63})\")?",
        RegexOptions.CultureInvariant)]
    private static partial Regex Words();
}
