using System;
using System.Globalization;

namespace PyDebug.Profiles;

/// <summary>One line of collapsed stacks: the frames' text, and how often or how much.</summary>
/// <param name="Stack">The frames, as they stand there.</param>
/// <param name="Value">The number.</param>
/// <param name="Count">The number where it is a whole one; else null.</param>
internal readonly record struct CollapsedLine(string Stack, double Value, long? Count)
{
    private const NumberStyles Decimals = NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;

    /// <summary>A line taken apart; null where it does not end in white space and a number of 0 or more.</summary>
    public static CollapsedLine? Parse(string line)
    {
        ReadOnlySpan<char> text = line.AsSpan().TrimEnd();
        int cut = text.LastIndexOfAny(' ', '\t');
        ReadOnlySpan<char> stack = cut < 0 ? default : text[..cut].TrimEnd();
        if (stack.IsEmpty)
        {
            return null;
        }

        ReadOnlySpan<char> number = text[(cut + 1)..];
        if (long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long count))
        {
            return new CollapsedLine(stack.ToString(), count, count);
        }

        if (!double.TryParse(number, Decimals, CultureInfo.InvariantCulture, out double value)
            || !char.IsAsciiDigit(number[^1]) || !double.IsFinite(value))
        {
            return null;
        }

        bool whole = value == Math.Floor(value) && value < long.MaxValue;
        return new CollapsedLine(stack.ToString(), value, whole ? (long)value : null);
    }
}
