using System.Collections.Generic;
using System.Globalization;

namespace PyDebug.Internal;

/// <summary>
/// Counts in words, and sums of counts that may be anybody's: what does not fit is as much as fits, never less than
/// nothing.
/// </summary>
internal static class Counts
{
    /// <summary>A number before what it is of, as <c>1 frame</c> and <c>1,200 frames</c>.</summary>
    public static string Of(long count, string one, string many)
        => count.ToString("#,0", CultureInfo.InvariantCulture) + " " + (count == 1 ? one : many);

    /// <summary>The sum; one beyond a long is its end.</summary>
    public static long Add(long one, long other)
    {
        long sum = unchecked(one + other);
        return ((one ^ sum) & (other ^ sum)) < 0 ? (one < 0 ? long.MinValue : long.MaxValue) : sum;
    }

    /// <summary>The sum of all; one beyond a long is its end.</summary>
    public static long Sum(IEnumerable<long> counts)
    {
        long sum = 0;
        foreach (long count in counts)
        {
            sum = Add(sum, count);
        }

        return sum;
    }
}
