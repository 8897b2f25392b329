using System;
using System.Globalization;
using System.Text.RegularExpressions;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// Makes decimal again what bpftrace prints in hexadecimal once it has escaped a character: the counts of histograms,
/// of probes and of lost events, and the values of time series. Everything else goes another way and stays decimal.
/// </summary>
internal sealed partial class BpftraceHexCounts
{
    private bool _hex;

    /// <summary>A line with its numbers in decimal.</summary>
    public string Repair(string line)
    {
        int from = 0;
        if (!_hex)
        {
            from = Escape(line);
            if (from < 0)
            {
                return line;
            }

            _hex = true;
        }

        return !Kind().IsMatch(line) ? line : Counted().Replace(
            line, m => m.Index < from ? m.Value : m.Groups["name"].Value + Decimal(m.Groups["n"].Value));
    }

    private static string Decimal(string hex)
        => ulong.TryParse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong number)
            ? unchecked((long)number).ToString(CultureInfo.InvariantCulture)
            : hex;

    /// <summary>Where the first escape of a character by its number is; -1 where there is none.</summary>
    private static int Escape(string line)
    {
        for (int i = line.IndexOf('\\', StringComparison.Ordinal); i >= 0 && i + 1 < line.Length;
            i = line.IndexOf('\\', i + 2))
        {
            if (line[i + 1] == 'u')
            {
                return i;
            }

            if (i + 2 >= line.Length)
            {
                break;
            }
        }

        return -1;
    }

    [GeneratedRegex("""\A\{"type": "(?:hist|tseries|lost_events|attached_probes)",""")]
    private static partial Regex Kind();

    [GeneratedRegex("""(?<name>(?<!\\)"(?:count|events|probes|value)": ?)(?<n>[0-9a-f]{1,16})(?=[,}])""")]
    private static partial Regex Counted();
}
