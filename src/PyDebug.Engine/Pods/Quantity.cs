using System;
using System.Globalization;

namespace PyDebug.Engine;

/// <summary>Reads Kubernetes quantities.</summary>
internal static class Quantity
{
    private static readonly string[] s_suffixes =
        ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "k", "M", "G", "T", "P", "E", "m"];

    private static readonly double[] s_factors =
        [1L << 10, 1L << 20, 1L << 30, 1L << 40, 1L << 50, 1L << 60, 1e3, 1e6, 1e9, 1e12, 1e15, 1e18, 1e-3];

    /// <summary>The number of bytes; null when the text is no quantity.</summary>
    public static long? Bytes(string? text) => Number(text) is double number and < long.MaxValue ? (long)number : null;

    /// <summary>The number of cores or bytes; null when the text is no quantity.</summary>
    public static double? Number(string? text)
    {
        if (text is null)
        {
            return null;
        }

        double factor = 1;
        for (int i = 0; i < s_suffixes.Length; i++)
        {
            if (text.EndsWith(s_suffixes[i], StringComparison.Ordinal))
            {
                factor = s_factors[i];
                text = text[..^s_suffixes[i].Length];
                break;
            }
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && number * factor is >= 0 and < double.MaxValue
            ? number * factor
            : null;
    }
}
