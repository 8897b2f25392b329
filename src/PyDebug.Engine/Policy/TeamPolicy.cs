using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>
/// What a machine, a user and <c>$env:PYDEBUG_POLICY</c> allow PyDebug to do. Each of them can only take away.
/// </summary>
internal sealed class TeamPolicy
{
    /// <summary>The variable that names one more policy file.</summary>
    public const string Variable = "PYDEBUG_POLICY";

    /// <summary>What -Custom may set of a security context without being a request for SysAdmin.</summary>
    private static readonly HashSet<string> s_harmless =
        ["runAsUser", "runAsGroup", "runAsNonRoot", "readOnlyRootFilesystem"];

    private readonly IReadOnlyList<PolicyRules> _rules;

    public TeamPolicy(IReadOnlyList<PolicyRules> rules) => _rules = rules;

    /// <summary>One that allows everything.</summary>
    public static TeamPolicy None { get; } = new([]);

    /// <summary>The longest life of a debug container; null for the usual one.</summary>
    public TimeSpan? Life => _rules.Min(r => r.Life);

    /// <summary>The rules that hold here, read anew.</summary>
    /// <exception cref="EngineException">A file cannot be read, or says something that is not known.</exception>
    public static TeamPolicy Installed()
    {
        string? named = Environment.GetEnvironmentVariable(Variable);
        return Read([MachineFile(), UserFile()], string.IsNullOrEmpty(named) ? null : named);
    }

    /// <summary>The rules of files that may be there, and of one that must be.</summary>
    public static TeamPolicy Read(IEnumerable<string?> optional, string? named)
    {
        List<PolicyRules> rules = [.. optional.OfType<string>().Where(IsThere).Select(PolicyReader.Read)];
        if (named is not null)
        {
            rules.Add(Path.IsPathFullyQualified(named)
                ? PolicyReader.Read(named)
                : throw PolicyReader.Invalid(named, $"$env:{Variable} names it by a path that is not full"));
        }

        return new TeamPolicy(rules);
    }

    /// <summary>Refuses a cmdlet that is switched off.</summary>
    public void CheckCmdlet(string name)
    {
        foreach (PolicyRules rules in _rules)
        {
            if (rules.Off.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                throw Denied(rules, "cmdlets", name, null);
            }
        }
    }

    /// <summary>Refuses a login helper that may not be run.</summary>
    /// <param name="command">What the kubeconfig says.</param>
    /// <param name="program">The full path that it comes to; null where there is none.</param>
    public void CheckLoginHelper(string command, string? program)
    {
        bool isBare = !command.AsSpan().ContainsAny('/', '\\');
        foreach (PolicyRules rules in _rules)
        {
            if (rules.LoginHelpers is not null
                && !rules.LoginHelpers.Any(h => (isBare && h == command) || (program is not null && h == program)))
            {
                throw Denied(rules, "loginHelpers", $"login helper '{command}'", rules.LoginHelpers);
            }
        }
    }

    /// <summary>Whether a profile may be asked for.</summary>
    public bool AllowsProfile(string profile) => _rules.All(r => Allows(r, profile));

    /// <summary>Refuses a debug container that may not be started.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="custom">The partial container of the request; null for none.</param>
    /// <param name="target">The target container.</param>
    /// <param name="image">The image that the request comes to.</param>
    public void CheckStart(DebugContainerRequest request, JsonObject? custom, ContainerInfo target, string image)
    {
        bool isOwn = image == target.Image;
        string? runs = isOwn && request.ImagePullPolicy != "Always" ? target.Digest : null;
        foreach (PolicyRules rules in _rules)
        {
            if (!rules.AllowsImage(image, runs, isOwn))
            {
                throw Denied(rules, "images", $"image '{image}'", rules.Images);
            }

            if (!Allows(rules, request.Profile))
            {
                throw Denied(rules, "profiles", $"profile {request.Profile}", rules.Profiles);
            }

            if (!Allows(rules, SecurityProfiles.SysAdmin) && AsksForRights(custom))
            {
                throw Denied(rules, "profiles", "rights by -Custom, which profile SysAdmin alone has", rules.Profiles);
            }

            if (rules.RequiresReason && string.IsNullOrWhiteSpace(request.Reason))
            {
                throw Denied(rules, "requireReason", "a start without -Reason", null);
            }
        }
    }

    private static bool Allows(PolicyRules rules, string profile) => rules.Profiles?.Contains(profile) != false;

    /// <summary>Whether a partial container sets what could be more than the profile gives.</summary>
    private static bool AsksForRights(JsonObject? custom)
    {
        JsonNode? given = custom?["securityContext"];
        if (given is null)
        {
            // Taken away as a whole it would leave a container with what its image and the pod say.
            return custom?.ContainsKey("securityContext") == true;
        }

        return given is not JsonObject context || context.Any(f => !s_harmless.Contains(f.Key))
            || (context.ContainsKey("runAsUser") && KubeJson.Integer(context, "runAsUser") is null or <= 0);
    }

    private static EngineException Denied(
        PolicyRules rules, string rule, string what, IReadOnlyList<string>? allowed)
    {
        Dictionary<string, string> detail = new() { ["file"] = rules.File, ["rule"] = rule };
        if (allowed is not null)
        {
            detail["allows"] = allowed.Count == 0 ? "none" : string.Join(", ", allowed);
        }

        return new(
            Causes.PolicyDenied, $"Policy file '{rules.File}' does not allow {what} (rule '{rule}').")
        {
            Detail = detail,
        };
    }

    /// <summary>Whether there is something under a path: what is there and cannot be looked at counts.</summary>
    private static bool IsThere(string path)
    {
        try
        {
            File.GetAttributes(path);
            return true;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // A link that leads nowhere was meant to be one.
            return new FileInfo(path).LinkTarget is not null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    /// <summary>The machine's file.</summary>
    public static string MachineFile()
        => OperatingSystem.IsWindows()
            // By the system's own record: a variable of that name is anybody's.
            ? Path.Join(
                Environment.GetFolderPath(Environment.SpecialFolder.CommonApplicationData), "PyDebug", "policy.json")
            : "/etc/pydebug/policy.json";

    /// <summary>The user's own file; null where the user has no folder, or it is another's.</summary>
    private static string? UserFile()
    {
        string folder = Environment.GetFolderPath(
            Environment.SpecialFolder.ApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        try
        {
            return Path.IsPathFullyQualified(folder) && Directory.Exists(folder)
                ? Path.Join(folder, OperatingSystem.IsWindows() ? "PyDebug" : "pydebug", "policy.json")
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
