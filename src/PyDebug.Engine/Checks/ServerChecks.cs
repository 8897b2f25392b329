using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>What is asked of the server: its version and clock, and what may be done. Nothing is changed.</summary>
internal static class ServerChecks
{
    private const int FirstMinor = 25;

    private static readonly TimeSpan s_skew = TimeSpan.FromMinutes(5);

    // Without the first four there is no session; the others make its messages better.
    private static readonly (string Verb, string? Subresource, bool Needed, string Why)[] s_rights =
    [
        ("get", null, true, ""),
        ("patch", "ephemeralcontainers", true, ""),
        ("get", "exec", true, ""),
        ("create", "exec", true, ""),
        ("list", null, false, "labels, successors and names near a wrong one are not found"),
    ];

    /// <summary>The server's version and clock.</summary>
    public static async Task<IReadOnlyList<Finding>> ServerAsync(RestClient rest, CancellationToken ct)
    {
        JsonObject version;
        try
        {
            version = await rest.GetAsync("/version", "ask for its version", ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.StatusCode is 403 or 404)
        {
            return [new("Server", Finding.Unknown, "It answers and does not tell its version.", "Kubernetes 1.25 or "
                + "later is needed.")];
        }
        catch (EngineException e)
        {
            return [new("Server", Finding.Fail, e.Message) { Cause = e }];
        }

        string text = KubeJson.Text(version, "gitVersion") ?? "a version that it does not name";
        string minor = new([.. (KubeJson.Text(version, "minor") ?? "").TakeWhile(char.IsAsciiDigit)]);
        bool told = int.TryParse(minor, CultureInfo.InvariantCulture, out int number);
        Finding server = !told ? new("Server", Finding.Unknown, $"Kubernetes of {text}.", "1.25 or later is needed.")
            : number >= FirstMinor ? new("Server", Finding.Pass, $"Kubernetes {text}.")
            : new("Server", Finding.Fail, $"Kubernetes {text} has no ephemeral containers that can be relied on.",
                "Kubernetes 1.25 or later is needed.");
        TimeSpan ahead = rest.Now - DateTime.UtcNow;
        string seconds = Math.Abs(ahead.TotalSeconds).ToString("0", CultureInfo.InvariantCulture);
        Finding clock = ahead.Duration() < TimeSpan.FromSeconds(1)
            ? new("Clock", Finding.Pass, "This machine's clock agrees with the server's within 10 s.")
            : new(
                "Clock", ahead.Duration() > s_skew ? Finding.Warning : Finding.Pass,
                $"The server's clock is {seconds} s {(ahead > TimeSpan.Zero ? "ahead" : "behind")}, which is reckoned "
                    + "with; tokens and certificates are not.",
                ahead.Duration() > s_skew ? "Set this machine's clock." : "");
        return [server, clock];
    }

    /// <summary>Each permission, as the server's own review has it.</summary>
    public static async Task<IReadOnlyList<Finding>> RightsAsync(
        PodApi api, string ns, string pod, CancellationToken ct)
    {
        List<Finding> findings = [];
        foreach ((string verb, string? subresource, bool needed, string why) in s_rights)
        {
            string resource = subresource is null ? "pods" : $"pods/{subresource}";
            string right = $"{verb} on {resource} in namespace '{ns}'";
            bool? may;
            try
            {
                may = await api.MayAsync(ns, verb, subresource, verb == "list" ? null : pod, ct).ConfigureAwait(false);
            }
            catch (EngineException e)
            {
                findings.Add(new("Permission", Finding.Fail, e.Message) { Cause = e });
                return findings;
            }

            findings.Add(may switch
            {
                true => new("Permission", Finding.Pass, $"{right}."),
                null => new("Permission", Finding.Unknown, $"{right}: the server does not say.",
                    "The server's administrator can."),
                _ when !needed
                    => new("Permission", Finding.Warning, $"{right} is missing: {why}.", Rule(verb, resource)),
                _ => new("Permission", Finding.Fail, $"{right} is missing.", Rule(verb, resource)),
            });
        }

        return findings;
    }

    private static string Rule(string verb, string resource)
        => $"A Role with apiGroups: [\"\"], resources: [{resource}], verbs: [{verb}] has it; "
            + "deploy/roles has whole ones.";
}
