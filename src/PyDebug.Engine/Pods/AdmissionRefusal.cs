using System;
using System.Collections.Generic;
using System.Text.RegularExpressions;

namespace PyDebug.Engine;

/// <summary>Reads why admission refused a debug container.</summary>
internal sealed partial class AdmissionRefusal
{
    private AdmissionRefusal(string? standard, string violations)
    {
        Standard = standard;
        Violations = violations;
    }

    /// <summary>The pod security standard that refused; null when something else did.</summary>
    public string? Standard { get; }

    /// <summary>What was wrong: the violated rules, or the refuser's own words.</summary>
    public string Violations { get; }

    /// <summary>Whether a refused request's message is of a webhook or a ValidatingAdmissionPolicy.</summary>
    public static bool IsPolicy(string message)
        => message.Contains("admission webhook", StringComparison.Ordinal)
            || (message.Contains("AdmissionPolicy '", StringComparison.Ordinal)
                && message.Contains("denied request", StringComparison.Ordinal));

    public static AdmissionRefusal Read(string message)
    {
        Match match = PodSecurity().Match(message);
        if (!match.Success)
        {
            return new(null, message);
        }

        List<string> rules = [];
        foreach (string rule in TopLevel(message[(match.Index + match.Length)..]))
        {
            int end = rule.AsSpan().IndexOfAny('(', '!');
            string name = (end < 0 ? rule : rule[..end]).Trim();
            if (name.Length > 0)
            {
                rules.Add(name);
            }
        }

        return new(match.Groups[1].Value, string.Join(", ", rules));
    }

    /// <summary>A sentence's beginning: who refuses the profile.</summary>
    public string Refuses(string profile, string ns)
        => Standard is null
            ? $"Admission in namespace '{ns}' refuses profile {profile}"
            : $"Pod security '{Standard}' of namespace '{ns}' refuses profile {profile}";

    private static IEnumerable<string> TopLevel(string text)
    {
        int depth = 0;
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            depth += text[i] switch { '(' => 1, ')' => -1, _ => 0 };
            if (text[i] == ',' && depth == 0)
            {
                yield return text[start..i];
                start = i + 1;
            }
        }

        yield return text[start..];
    }

    [GeneratedRegex("violates PodSecurity \"([a-z]+):[^\"]*\": ", RegexOptions.CultureInvariant)]
    private static partial Regex PodSecurity();
}
