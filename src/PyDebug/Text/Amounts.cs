using System;
using System.Globalization;
using static System.FormattableString;

namespace PyDebug.Internal;

/// <summary>Writes amounts of memory and of time for people.</summary>
internal static class Amounts
{
    private const double Kibi = 1024;

    private const double Mebi = 1024 * Kibi;

    private const double Gibi = 1024 * Mebi;

    /// <summary>
    /// An amount, such as <c>38.2 MiB</c>: the units that a pod's limit is given in. Nothing where it is not known.
    /// </summary>
    public static string Bytes(double? amount) => amount switch
    {
        null => "",
        // What rounds to 1024 of a unit is 1.0 of the next.
        double value and >= 1023.95 * Mebi => Invariant($"{value / Gibi:0.00} GiB"),
        double value and >= 1023.95 * Kibi => Invariant($"{value / Mebi:0.0} MiB"),
        double value and >= 1023.5 => Invariant($"{value / Kibi:0.0} KiB"),
        double value => Invariant($"{value:0} B"),
    };

    /// <summary>A number in a format; nothing where it is not known.</summary>
    public static string Number(double? number, string format)
        => number?.ToString(format, CultureInfo.InvariantCulture) ?? "";

    /// <summary>An amount of memory in Kubernetes' units, such as 61Mi.</summary>
    public static string Memory(double? bytes) => bytes switch
    {
        null => "",
        double size and < 10 * 1024 * 1024 => Invariant($"{size / (1024 * 1024):0.0}Mi"),
        double size and < 10_000.0 * 1024 * 1024 => Invariant($"{size / (1024 * 1024):0}Mi"),
        double size => Invariant($"{size / (1024 * 1024 * 1024):0.0}Gi"),
    };

    /// <summary>A length of time, such as <c>1.23 s</c> or <c>6.5 ms</c>.</summary>
    public static string Length(double seconds) => seconds switch
    {
        >= 100 => Invariant($"{seconds:#,0} s"),
        >= 0.99995 => Invariant($"{seconds:0.00} s"),
        >= 0.001 or 0 => Invariant($"{seconds * 1000:0.#} ms"),
        >= 0.00001 => Invariant($"{seconds * 1_000_000:0} us"),
        _ => Invariant($"{seconds * 1_000_000:0.#} us"),
    };

    /// <summary>
    /// A time of one thread in one state, such as 4.9s: a point for none, nothing where it is not known.
    /// </summary>
    public static string State(double? seconds) => seconds switch
    {
        null => "",
        < 0.0005 => ".",
        < 0.0995 => Invariant($"{seconds * 1000:0}ms"),
        < 99.95 => Invariant($"{seconds:0.0}s"),
        < 1000 => Invariant($"{seconds:0}s"),
        < 36_000 => Invariant($"{seconds / 60:0}m"),
        _ => Invariant($"{seconds / 3600:0}h"),
    };

    /// <summary>CPU time, such as 41.8s.</summary>
    public static string Cpu(double? seconds) => seconds switch
    {
        null => "",
        < 1000 => Invariant($"{seconds:0.0}s"),
        < 36_000 => Invariant($"{seconds / 60:0}m"),
        _ => Invariant($"{seconds / 3600:0}h"),
    };

    /// <summary>How long ago a time is, in kubectl's manner, such as 5m.</summary>
    public static string Age(DateTime? time)
    {
        if (time is not DateTime start)
        {
            return "";
        }

        double seconds = Math.Max(0, (DateTime.UtcNow - start.ToUniversalTime()).TotalSeconds);
        return seconds switch
        {
            < 10 => Invariant($"{seconds:0.0}s"),
            < 120 => Invariant($"{seconds:0}s"),
            < 7200 => Invariant($"{seconds / 60:0}m"),
            < 172_800 => Invariant($"{seconds / 3600:0}h"),
            _ => Invariant($"{seconds / 86_400:0}d"),
        };
    }

    /// <summary>A time to come, to as many digits as are worth having.</summary>
    public static string Ahead(double seconds) => seconds switch
    {
        < 10 => Invariant($"{Math.Max(1, seconds):0} s"),
        < 90 => Invariant($"{Math.Round(seconds / 5) * 5:0} s"),
        < 5400 => Invariant($"{seconds / 60:0} min"),
        < 172_800 => Invariant($"{seconds / 3600:0} h"),
        _ => Invariant($"{seconds / 86_400:0} days"),
    };
}
