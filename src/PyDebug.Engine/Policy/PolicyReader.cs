using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;

namespace PyDebug.Engine;

/// <summary>
/// Reads a policy file. What it cannot read, or does not know, it does not pass over: a rule that was meant and not
/// understood must not be one that does not hold.
/// </summary>
internal static class PolicyReader
{
    /// <summary>The cmdlets that reach a server, which a policy can switch off.</summary>
    public static readonly IReadOnlyList<string> Cmdlets =
    [
        "Copy-PodFile", "Get-MemrayReport", "Get-PodDebug", "Get-PyHeap", "Get-PyProcess", "Get-PyStack", "Get-PyTask",
        "Invoke-Bpftrace", "Invoke-PySpy", "Measure-PyTime", "Start-PodDebug", "Stop-PodDebug", "Test-PodDebug",
        "Watch-PyProcess",
    ];

    /// <summary>The security profiles.</summary>
    public static readonly IReadOnlyList<string> Profiles =
    [
        SecurityProfiles.General, SecurityProfiles.Baseline, SecurityProfiles.Restricted, SecurityProfiles.NetAdmin,
        SecurityProfiles.SysAdmin, SecurityProfiles.Trace,
    ];

    /// <summary>The shortest and the longest life that a policy may give a debug container, in minutes.</summary>
    public const int ShortestLife = 10, LongestLife = 720;

    private const int MaxFile = 1 << 20;
    private const int MaxDepth = 8;

    /// <summary>The rules in a file.</summary>
    /// <exception cref="EngineException">It cannot be read, or says something that is not known.</exception>
    public static PolicyRules Read(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(
                SmallFile.ReadText(path, MaxFile), new JsonDocumentOptions { MaxDepth = MaxDepth });
            return Rules(path, document.RootElement);
        }
        catch (FormatException e)
        {
            throw Invalid(path, e.Message, e);
        }
        catch (JsonException e)
        {
            throw Invalid(path, $"it is not JSON (line {e.LineNumber + 1})", e);
        }
        catch (InvalidOperationException e)
        {
            throw Invalid(path, "a text in it is not Unicode", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Invalid(path, $"it cannot be read{SmallFile.Why(e)}", e);
        }
    }

    public static EngineException Invalid(string path, string what, Exception? inner = null)
        => new(Causes.PolicyInvalid, $"Policy file '{path}' refuses everything: {what}.", inner)
        {
            Detail = new Dictionary<string, string> { ["file"] = path },
        };

    private static PolicyRules Rules(string path, JsonElement root)
    {
        Dictionary<string, JsonElement> fields = Fields(root, "it");
        foreach (string name in fields.Keys)
        {
            if (name is not ("$schema" or "description" or "images" or "profiles" or "cmdlets" or "loginHelpers"
                or "longestLifeMinutes" or "requireReason"))
            {
                throw new FormatException($"field '{name}' is not known");
            }
        }

        Text(fields, "$schema");
        Text(fields, "description");
        return new PolicyRules
        {
            File = path,
            Images = Texts(fields, "images", i => i.Length > 0 && !i.Any(char.IsWhiteSpace)),
            Profiles = Texts(fields, "profiles", p => Profiles.Contains(p, StringComparer.Ordinal)),
            LoginHelpers = Texts(fields, "loginHelpers", h => h.Length > 0),
            Off = Off(fields),
            Life = Life(fields),
            RequiresReason = fields.TryGetValue("requireReason", out JsonElement flag) && Flag(flag, "requireReason"),
        };
    }

    private static Dictionary<string, JsonElement> Fields(JsonElement value, string what)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw new FormatException($"{what} is no object");
        }

        Dictionary<string, JsonElement> fields = new(StringComparer.Ordinal);
        foreach (JsonProperty property in value.EnumerateObject())
        {
            if (!fields.TryAdd(property.Name, property.Value))
            {
                throw new FormatException($"field '{property.Name}' is there twice");
            }
        }

        return fields;
    }

    private static void Text(Dictionary<string, JsonElement> fields, string name)
    {
        if (fields.TryGetValue(name, out JsonElement value) && value.ValueKind != JsonValueKind.String)
        {
            throw new FormatException($"field '{name}' is no text");
        }
    }

    private static List<string>? Texts(Dictionary<string, JsonElement> fields, string name, Func<string, bool> isKnown)
    {
        if (!fields.TryGetValue(name, out JsonElement value))
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            throw new FormatException($"field '{name}' is no list");
        }

        List<string> texts = [];
        foreach (JsonElement item in value.EnumerateArray())
        {
            string? text = item.ValueKind == JsonValueKind.String ? item.GetString() : null;
            texts.Add(text is not null && isKnown(text)
                ? text
                : throw new FormatException($"'{text ?? item.GetRawText()}' is nothing that field '{name}' can have"));
        }

        return texts;
    }

    private static List<string> Off(Dictionary<string, JsonElement> fields)
    {
        if (!fields.TryGetValue("cmdlets", out JsonElement value))
        {
            return [];
        }

        List<string> off = [];
        foreach ((string name, JsonElement on) in Fields(value, "field 'cmdlets'"))
        {
            if (!Cmdlets.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                throw new FormatException($"cmdlet '{name}' is not known");
            }

            if (!Flag(on, name))
            {
                off.Add(name);
            }
        }

        return off;
    }

    private static bool Flag(JsonElement value, string name)
        => value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : throw new FormatException($"'{name}' is neither true nor false");

    private static TimeSpan? Life(Dictionary<string, JsonElement> fields)
        => !fields.TryGetValue("longestLifeMinutes", out JsonElement value) ? null
            : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int minutes)
                && minutes is >= ShortestLife and <= LongestLife
                    ? TimeSpan.FromMinutes(minutes)
                    : throw new FormatException(
                        $"field 'longestLifeMinutes' is no whole number from {ShortestLife} to {LongestLife}");
}
