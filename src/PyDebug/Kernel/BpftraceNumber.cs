using System;
using System.Globalization;
using System.Text.Json;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// Numbers of bpftrace's output. From version 0.24 on a whole number that a double does not hold exactly comes as a
/// text; a text that looks like such a number is one.
/// </summary>
internal static class BpftraceNumber
{
    private const long LargestExact = 1L << 53;

    /// <summary>A number, whether or not it comes as a text: a long, a ulong beyond that, or a double.</summary>
    /// <returns>Null where it is something else.</returns>
    public static object? Of(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number when value.TryGetInt64(out long number) => number,
        JsonValueKind.Number when value.TryGetUInt64(out ulong number) => number,
        JsonValueKind.Number when value.TryGetDouble(out double number) && double.IsFinite(number) => number,
        JsonValueKind.String => Quoted(value.GetString()!),
        _ => null,
    };

    /// <summary>A property's whole number; one beyond a long is its end.</summary>
    public static long? Long(JsonElement item, string name) => Property(item, name) switch
    {
        long number => number,
        ulong => long.MaxValue,
        _ => null,
    };

    /// <summary>A property's number.</summary>
    public static double? Double(JsonElement item, string name)
        => Property(item, name) is object number ? Convert.ToDouble(number, CultureInfo.InvariantCulture) : null;

    /// <summary>What fits of a whole number: a long, a ulong beyond that, else a double.</summary>
    public static object Fit(Int128 number)
        => number >= long.MinValue && number <= long.MaxValue ? (object)(long)number
            : number >= 0 && number <= ulong.MaxValue ? (object)(ulong)number
            : (double)number;

    private static object? Property(JsonElement item, string name)
        => item.ValueKind == JsonValueKind.Object && item.TryGetProperty(name, out JsonElement value) ? Of(value)
            : null;

    private static object? Quoted(string text)
    {
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number))
        {
            return number is > LargestExact or < -LargestExact
                && number.ToString(CultureInfo.InvariantCulture) == text
                ? number
                : null;
        }

        return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong large)
            && large.ToString(CultureInfo.InvariantCulture) == text
            ? large
            : null;
    }
}
