using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using PyDebug.Profiles.Flame;

namespace PyDebug.Internal;

/// <summary>A table as text, for views that hold more. The last column takes the room that is left.</summary>
internal sealed class TextTable(params (string Label, bool Right)[] columns)
{
    private const int NarrowestLast = 20;

    private readonly List<string[]> _rows = [];

    /// <summary>Adds a row; cells must be safe to show.</summary>
    public void Add(params string[] cells) => _rows.Add(cells);

    /// <summary>Writes labels, lines below them and the rows, none wider than so many cells.</summary>
    public void Write(StringBuilder text, int width)
    {
        int[] widths =
            [.. columns.Select((c, i) => _rows.Select(r => LabelText.Cells(r[i])).Append(c.Label.Length).Max())];
        int last = columns.Length - 1;
        int used = widths.Take(last).Sum(w => w + 1);
        widths[last] = Math.Min(widths[last], Math.Max(NarrowestLast, width - used));
        WriteRow(text, widths, [.. columns.Select(c => c.Label)]);
        WriteRow(text, widths, [.. columns.Select(c => new string('-', c.Label.Length))]);
        foreach (string[] row in _rows)
        {
            WriteRow(text, widths, row);
        }
    }

    /// <summary>The text, or its beginning and an ellipsis.</summary>
    public static string Cut(string text, int cells)
    {
        if (LabelText.Cells(text) <= cells)
        {
            return text;
        }

        int[] starts = StringInfo.ParseCombiningCharacters(text);
        int keep = starts.Length - 1;
        while (keep > 0 && LabelText.Cells(text[..starts[keep]]) > cells - 1)
        {
            keep--;
        }

        return text[..starts[keep]] + "…";
    }

    private void WriteRow(StringBuilder text, int[] widths, string[] cells)
    {
        StringBuilder line = new();
        for (int i = 0; i < cells.Length; i++)
        {
            string cell = Cut(cells[i], widths[i]);
            string space = new(' ', Math.Max(0, widths[i] - LabelText.Cells(cell)));
            line.Append(i == 0 ? "" : " ").Append(columns[i].Right ? space + cell : cell + space);
        }

        text.Append('\n').Append(line.ToString().TrimEnd());
    }
}
