using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using PyDebug.Profiles.Flame;

namespace PyDebug.Internal;

/// <summary>Shortens names of threads so that they can still be told apart.</summary>
internal static class ShortNames
{
    private const int Context = 2;

    /// <summary>A name without its middle: most names begin with what and end with which.</summary>
    public static string Middle(string name, int cells) => LabelText.Cut(name, cells);

    /// <summary>The first of several, and how many others there are.</summary>
    public static string FirstOf(IReadOnlyList<string> names) => names.Count switch
    {
        0 => "",
        1 => Middle(SafeText.Line(names[0]), 22),
        _ => Middle(SafeText.Line(names[0]), 16)
            + string.Create(CultureInfo.InvariantCulture, $" +{names.Count - 1}"),
    };

    /// <summary>
    /// Names of a list, shortened; those that differ still do, wherever there is room for the difference.
    /// </summary>
    public static IReadOnlyList<string> Of(IReadOnlyList<string> names, int cells)
    {
        string[] cut = [.. names.Select(n => Middle(n, cells))];
        foreach (IGrouping<string, int> same in Enumerable.Range(0, names.Count).GroupBy(i => cut[i]).ToList())
        {
            List<string> distinct = [.. same.Select(i => names[i]).Distinct()];
            if (distinct.Count < 2)
            {
                continue;
            }

            int first = Difference(distinct);
            foreach (int i in same)
            {
                int[] starts = StringInfo.ParseCombiningCharacters(names[i]);
                int start = starts.Where(s => s <= first).SkipLast(Context).LastOrDefault();
                cut[i] = TextTable.Cut("…" + names[i][start..], cells);
            }
        }

        return cut;
    }

    private static int Difference(List<string> names)
    {
        int length = names.Min(n => n.Length);
        int place = 0;
        while (place < length && names.All(n => n[place] == names[0][place]))
        {
            place++;
        }

        return place;
    }
}
