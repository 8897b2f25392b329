using System;
using System.Collections.Generic;
using System.Globalization;
using PyDebug.Internal;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// Reads a stack as bpftrace prints it, innermost first: a line a frame, as <c>name+12</c>, and in mode perf between
/// its address and its library. Names come from the target's files and may be anything, so each line is looked at from
/// its ends, once.
/// </summary>
internal static class NativeStack
{
    private static readonly StackFrame s_lost = new() { Name = Lost };

    private const ulong FirstKernel = 0xffff_8000_0000_0000;

    private const ulong LastUser = 0x00ff_ffff_ffff_ffff;

    /// <summary>What stands for the outer frames that a walk did not find.</summary>
    public const string Lost = "...";

    private const int ShortestAddress = 12;

    /// <summary>
    /// The frames. At the first address that can be none the walk had lost its way, and the rest is none either.
    /// </summary>
    public static IReadOnlyList<StackFrame> Read(string text)
    {
        List<StackFrame> frames = [];
        foreach (
            string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            StackFrame frame = Frame(line);
            if (Address(frame) is ulong address && !IsPossible(address))
            {
                frames.Add(s_lost);
                break;
            }

            frames.Add(frame);
        }

        return frames;
    }

    /// <summary>Whether a frame has an address in place of a name.</summary>
    public static bool IsNameless(StackFrame frame) => Address(frame) is not null;

    private static StackFrame Frame(string line)
    {
        string? module = null;
        ReadOnlySpan<char> rest = line;
        bool perf = line.Contains('(', StringComparison.Ordinal);
        if (rest.Length > 0 && rest[^1] == ')')
        {
            int open = rest[..^1].LastIndexOfAny('(', ')');
            if (open > 1 && rest[open] == '(' && char.IsWhiteSpace(rest[open - 1]))
            {
                module = rest[(open + 1)..^1].ToString();
                rest = rest[..open].TrimEnd();
            }
        }

        int end = rest.IndexOf(' ');
        if (perf && end > 0 && end + 1 < rest.Length && IsHex(rest[..end]))
        {
            rest = rest[(end + 1)..];
        }

        int plus = rest.LastIndexOf('+');
        if (plus > 0 && IsHex(Digits(rest[(plus + 1)..])))
        {
            rest = rest[..plus];
        }

        return new StackFrame
        {
            Name = SafeText.Line(rest.ToString(), Json.TextLength),
            Module = module is null ? null : SafeText.Line(module, Json.TextLength),
        };
    }

    private static ulong? Address(StackFrame frame)
    {
        ReadOnlySpan<char> name = frame.Name;
        ReadOnlySpan<char> digits = Digits(name);
        bool marked = digits.Length < name.Length || digits.Length >= ShortestAddress;
        return (marked || (name.Length > 0 && char.IsAsciiDigit(name[0]))) && IsHex(digits)
            && ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong address)
            ? address
            : null;
    }

    /// <summary>Neither the end of a chain nor a value that no process can have mapped.</summary>
    private static bool IsPossible(ulong address) => address is > 0 and (<= LastUser or >= FirstKernel);

    private static ReadOnlySpan<char> Digits(ReadOnlySpan<char> text)
        => text.StartsWith("0x", StringComparison.Ordinal) ? text[2..] : text;

    private static bool IsHex(ReadOnlySpan<char> text)
        => text.Length > 0 && text.IndexOfAnyExceptInRange('0', 'f') < 0
            && text.IndexOfAnyInRange(':', '`') < 0;
}
