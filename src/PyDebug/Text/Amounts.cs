using System;
using System.Globalization;

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
        double value and >= 1023.95 * Mebi => Format($"{value / Gibi:0.00} GiB"),
        double value and >= 1023.95 * Kibi => Format($"{value / Mebi:0.0} MiB"),
        double value and >= 1023.5 => Format($"{value / Kibi:0.0} KiB"),
        double value => Format($"{value:0} B"),
    };

    /// <summary>A number in a format; nothing where it is not known.</summary>
    public static string Number(double? number, string format)
        => number?.ToString(format, CultureInfo.InvariantCulture) ?? "";

    /// <summary>A time to come, to as many digits as are worth having.</summary>
    public static string Ahead(double seconds) => seconds switch
    {
        < 10 => Format($"{Math.Max(1, seconds):0} s"),
        < 90 => Format($"{Math.Round(seconds / 5) * 5:0} s"),
        < 5400 => Format($"{seconds / 60:0} min"),
        < 172_800 => Format($"{seconds / 3600:0} h"),
        _ => Format($"{seconds / 86_400:0} days"),
    };

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
