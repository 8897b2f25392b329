using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>Finds the names that somebody may have meant.</summary>
internal static class NearNames
{
    private const int MostChanges = 2;

    private const int LongestName = 253;

    /// <summary>Names that begin with the wanted one, as a deployment's pods do, or nearly equal it.</summary>
    public static IReadOnlyList<string> Find(string wanted, IEnumerable<string> names, int most = 3)
        => [.. names
            .Where(n => n.StartsWith(wanted, StringComparison.Ordinal)
                || (Math.Abs(n.Length - wanted.Length) <= MostChanges
                    && n.Length <= LongestName
                    && Distance(wanted, n) <= MostChanges))
            .Order(StringComparer.Ordinal)
            .Take(most)];

    /// <summary>How many letters must be changed, added or left out to get from one name to the other.</summary>
    private static int Distance(string one, string other)
    {
        int[] row = [.. Enumerable.Range(0, other.Length + 1)];
        for (int i = 1; i <= one.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= other.Length; j++)
            {
                int change = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[^1];
    }
}
