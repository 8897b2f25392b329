using System;
using System.Globalization;
using System.Text.RegularExpressions;

namespace PyDebug.Profiles;

/// <summary>
/// The name of a profile in a speedscope file as py-spy writes it: <c>Thread 3 "name"</c> or
/// <c>Process 3 Thread 8 "name"</c>. The part between the quotes is the target's and may hold anything.
/// </summary>
internal sealed partial record SpeedscopeName(int? ProcessId, long? ThreadId, string? Thread)
{
    /// <summary>Reads a name. One of another form is the name of a thread.</summary>
    public static SpeedscopeName Parse(string name)
    {
        Match match = Form().Match(name);
        if (!match.Success)
        {
            return new SpeedscopeName(null, null, name.Length == 0 ? null : name);
        }

        int? process = int.TryParse(match.Groups["process"].Value, CultureInfo.InvariantCulture, out int p) ? p : null;
        string number = match.Groups["thread"].Value;
        long? thread = number.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? long.TryParse(
                number.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long hex)
                ? hex
                : null
            : long.TryParse(number, CultureInfo.InvariantCulture, out long t) ? t : null;
        return new SpeedscopeName(process, thread, match.Groups["name"].Success ? match.Groups["name"].Value : null);
    }

    /// <summary>The name in py-spy's form.</summary>
    public override string ToString()
    {
        string process = ProcessId is int p ? string.Create(CultureInfo.InvariantCulture, $"Process {p} ") : "";
        string id = ThreadId is long t ? string.Create(CultureInfo.InvariantCulture, $" {t}") : "";
        string thread = Thread is null ? "" : $" \"{Thread}\"";
        return $"{process}Thread{id}{thread}";
    }

    [GeneratedRegex(
        """\A(?:Process (?<process>\d{1,10}) )?Thread"""
            + """(?: (?<thread>0[xX][0-9A-Fa-f]{1,16}|\d{1,19}))?(?: "(?<name>.*)")?\z""",
        RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
