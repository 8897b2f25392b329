using System;
using System.Globalization;
using System.Text;

namespace PyDebug.Internal;

/// <summary>
/// Makes text that came from a pod or a server safe to show: what would move the cursor, change colours or reorder
/// letters is written as something that does not. A control character becomes its picture, such as U+240A for a line
/// feed, which nobody can take for a backslash and a letter of the text itself; what has no picture becomes an escape.
/// Text that is safe stays as it is, so that it can be made safe where it comes in and again where it is shown.
/// </summary>
internal static class SafeText
{
    private const int DefaultLength = 2000;

    private const char FirstPicture = '\u2400';

    private const char Delete = '\u007f';

    private const char PictureOfDelete = '\u2421';

    /// <summary>The text on one line, without control, format or bidirectional characters.</summary>
    /// <param name="text">The text as it came; null is the empty string.</param>
    /// <param name="length">The most characters to return; longer text ends in an ellipsis.</param>
    public static string Line(string? text, int length = DefaultLength)
    {
        if (string.IsNullOrEmpty(text))
        {
            return string.Empty;
        }

        bool cut = text.Length > length;
        int end = cut ? length : text.Length;
        StringBuilder? safe = null;
        for (int i = 0; i < end; i++)
        {
            bool pair = char.IsSurrogatePair(text, i);
            int width = pair ? 2 : 1;
            if (IsSafe(text, i, pair))
            {
                safe?.Append(text, i, width);
            }
            else
            {
                safe ??= new StringBuilder(text, 0, i, end + 8);
                AppendEscape(safe, pair ? char.ConvertToUtf32(text, i) : text[i]);
            }

            i += width - 1;
        }

        string result = safe?.ToString() ?? text;
        return cut || result.Length > length ? Cut(result, length) : result;
    }

    private static string Cut(string text, int length)
    {
        int keep = length - 1;
        if (keep > 0 && char.IsHighSurrogate(text[keep - 1]))
        {
            keep--;
        }

        return string.Concat(text.AsSpan(0, keep), "…");
    }

    private static bool IsSafe(string text, int index, bool pair)
    {
        if (!pair && text[index] is >= ' ' and < '\u007f')
        {
            return true;
        }

        return CharUnicodeInfo.GetUnicodeCategory(text, index) is not (UnicodeCategory.Control
            or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.Surrogate
            or UnicodeCategory.OtherNotAssigned);
    }

    private static void AppendEscape(StringBuilder safe, int character)
    {
        switch (character)
        {
            case < ' ':
                safe.Append((char)(FirstPicture + character));
                break;
            case Delete:
                safe.Append(PictureOfDelete);
                break;
            case <= 0xff:
                safe.Append(CultureInfo.InvariantCulture, $"\\x{character:x2}");
                break;
            case <= 0xffff:
                safe.Append(CultureInfo.InvariantCulture, $"\\u{character:x4}");
                break;
            default:
                safe.Append(CultureInfo.InvariantCulture, $"\\U{character:x8}");
                break;
        }
    }
}
