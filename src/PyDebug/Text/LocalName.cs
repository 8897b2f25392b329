using System;
using System.Globalization;
using System.Linq;
using System.Text;

namespace PyDebug.Internal;

/// <summary>
/// Makes a name from a pod into one that this machine's file systems can hold and its screens can show: whoever chose
/// it may have meant it to be another one.
/// </summary>
internal static class LocalName
{
    private const int LongestName = 255;

    private const char Filler = '_';

    private const string NotOnWindows = "<>:\"/\\|?*";

    private static readonly string[] s_devices =
    [
        "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$",
        .. Enumerable.Range(0, 10).SelectMany(n => new[] { $"COM{n}", $"LPT{n}" }),
    ];

    /// <summary>The name; null where nothing is left of it that could be one.</summary>
    /// <param name="name">The last part of a path.</param>
    /// <param name="onWindows">Whether it has to do for Windows.</param>
    public static string? Of(string name, bool onWindows)
    {
        StringBuilder kept = new(name.Length);
        for (int i = 0; i < name.Length; i++)
        {
            bool pair = char.IsSurrogatePair(name, i);
            kept.Append(IsPlain(name, i, onWindows) ? name.AsSpan(i, pair ? 2 : 1) : [Filler]);
            i += pair ? 1 : 0;
        }

        string text = kept.ToString();
        if (onWindows)
        {
            string trimmed = text.TrimEnd('.', ' ');
            text = trimmed + new string(Filler, text.Length - trimmed.Length);
            string stem = text.Split('.')[0].TrimEnd();
            text = s_devices.Contains(stem, StringComparer.OrdinalIgnoreCase) ? Filler + text : text;
        }

        return name.Trim('.', ' ').Length == 0 ? null : Short(text, onWindows);
    }

    private static bool IsPlain(string name, int index, bool onWindows)
        => name[index] != '/'
            && !(onWindows && NotOnWindows.Contains(name[index], StringComparison.Ordinal))
            && CharUnicodeInfo.GetUnicodeCategory(name, index) is not (UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.Surrogate
                or UnicodeCategory.OtherNotAssigned);

    /// <summary>Cuts the name before its extension: a file system counts in bytes, Windows in UTF-16 units.</summary>
    private static string Short(string name, bool onWindows)
    {
        int Length(string text) => onWindows ? text.Length : Encoding.UTF8.GetByteCount(text);
        if (Length(name) <= LongestName)
        {
            return name;
        }

        int dot = name.LastIndexOf('.');
        string extension = dot > 0 && name.Length - dot <= 16 ? name[dot..] : "";
        string stem = name[..^extension.Length];
        while (Length(stem) + Length(extension) > LongestName)
        {
            stem = stem[..^(stem.Length > 1 && char.IsLowSurrogate(stem[^1]) ? 2 : 1)];
        }

        return stem + extension;
    }
}
