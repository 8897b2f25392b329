using System;
using System.Globalization;
using System.Text;

namespace PyDebug.Internal;

/// <summary>
/// Cuts names to the room there is. Widths are counted in cells of a monospaced font, two for wide letters.
/// </summary>
internal static class LabelText
{
    /// <summary>Below this a cut name says nothing.</summary>
    private const int ShortestCut = 5;

    /// <summary>
    /// What a box of some cells says: name and place, the name, the name cut in its middle, or nothing.
    /// </summary>
    public static string Fit(string name, string place, int cells)
    {
        if (place.Length > 0)
        {
            string whole = $"{name} ({place})";
            if (Cells(whole) <= cells)
            {
                return whole;
            }
        }

        return Cut(name, cells);
    }

    /// <summary>The text, or its beginning and end with an ellipsis between them.</summary>
    public static string Cut(string text, int cells)
    {
        if (Cells(text) <= cells)
        {
            return text;
        }

        if (cells < ShortestCut)
        {
            return "";
        }

        int[] starts = StringInfo.ParseCombiningCharacters(text);
        int room = cells - 1;
        int head = 0;
        int tail = starts.Length;
        int used = 0;
        while (head < tail)
        {
            // The head gets the odd cell: it tells names apart more often than the end.
            bool fromHead = head <= starts.Length - tail;
            int element = fromHead ? head : tail - 1;
            int end = element + 1 < starts.Length ? starts[element + 1] : text.Length;
            int width = Cells(text[starts[element]..end]);
            if (used + width > room)
            {
                break;
            }

            used += width;
            _ = fromHead ? head++ : tail--;
        }

        int headEnd = head < starts.Length ? starts[head] : text.Length;
        int tailStart = tail < starts.Length ? starts[tail] : text.Length;
        return string.Concat(text.AsSpan(0, headEnd), "…", text.AsSpan(tailStart));
    }

    /// <summary>The width of a text in cells.</summary>
    public static int Cells(string text)
    {
        int cells = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            cells += rune.Value < 0x1100 ? 1 : Wide(rune.Value) ? 2 : 1;
        }

        return cells;
    }

    private static bool Wide(int c) => c is (>= 0x1100 and <= 0x115f)
        or (>= 0x2600 and <= 0x27bf)
        or (>= 0x2e80 and <= 0xa4cf)
        or (>= 0xac00 and <= 0xd7a3)
        or (>= 0xf900 and <= 0xfaff)
        or (>= 0xfe30 and <= 0xfe6f)
        or (>= 0xff00 and <= 0xff60)
        or (>= 0xffe0 and <= 0xffe6)
        or >= 0x1f000;
}
