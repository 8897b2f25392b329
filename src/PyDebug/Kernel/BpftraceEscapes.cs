using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// Undoes what bpftrace's JSON does to text. Where a char has a sign, as on x86-64, every byte beyond ASCII is written
/// as the escape of a negative number, <c>\uffffffc3</c>, which JSON reads as U+FFFF and the letters <c>ffc3</c>.
/// (https://github.com/bpftrace/bpftrace/blob/v0.23.2/src/output.cpp, json_escape.)
/// </summary>
internal static class BpftraceEscapes
{
    private const char Mark = '\uffff';

    private const int MarkedLength = 5;

    /// <summary>A text as the program had it.</summary>
    public static string Text(string text)
        => text.Contains(Mark, StringComparison.Ordinal) ? Encoding.UTF8.GetString(Bytes(text)) : text;

    /// <summary>A text's bytes as the program had them.</summary>
    public static byte[] Bytes(string text)
    {
        List<byte> bytes = new(text.Length);
        int plain = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == Mark && Marked(text, i) is byte marked)
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(text, plain, i - plain));
                bytes.Add(marked);
                i += MarkedLength - 1;
                plain = i + 1;
            }
        }

        bytes.AddRange(Encoding.UTF8.GetBytes(text, plain, text.Length - plain));
        return [.. bytes];
    }

    /// <summary>A map's key as the program had it.</summary>
    /// <param name="text">The key as JSON has it.</param>
    /// <param name="doubled">Whether its texts are escaped twice.</param>
    public static string Key(string text, bool doubled)
        => Text(doubled && text.Contains('\\', StringComparison.Ordinal) ? Once(text) : text);

    /// <summary>Undoes one escaping.</summary>
    private static string Once(string text)
    {
        StringBuilder plain = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            char next = text[i] == '\\' && i + 1 < text.Length ? text[i + 1] : '\0';
            if (next == 'u' && Hex(text, i + 2, 4) is int code)
            {
                plain.Append((char)code);
                i += 5;
                continue;
            }

            char? meant = next switch
            {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '"' or '\\' => next,
                _ => null,
            };
            plain.Append(meant ?? text[i]);
            i += meant is null ? 0 : 1;
        }

        return plain.ToString();
    }

    private static byte? Marked(string text, int index)
        => index + MarkedLength <= text.Length && text[index + 1] == 'f' && text[index + 2] == 'f'
            && Hex(text, index + 3, 2) is int value and >= 0x80
            ? (byte)value
            : null;

    private static int? Hex(string text, int index, int length)
        => index + length <= text.Length
            && int.TryParse(
                text.AsSpan(index, length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            ? value
            : null;
}
