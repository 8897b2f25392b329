using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;

namespace PyDebug.Profiles;

/// <summary>
/// Reads collapsed stacks: a line for each, its frames joined by semicolons, and a number. Where every frame ends in
/// <c>(file:line)</c>, as py-spy and PyDebug write them, a semicolon within a name is told from one between frames.
/// </summary>
internal static partial class CollapsedReader
{
    private const int LongestLine = 4 << 20;

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">A line has no number at its end, or there is no line at all.</exception>
    public static StackProfile Read(TextReader reader, StackProfile about)
    {
        List<(string Stack, double Value)> lines = [];
        int number = 0;
        while (reader.ReadLine() is string line)
        {
            number++;
            if (line.Length > LongestLine)
            {
                throw new InvalidDataException($"Line {number} is too long.");
            }

            string text = line.TrimEnd();
            if (text.Length == 0 || text[0] == '#')
            {
                continue;
            }

            int cut = text.LastIndexOf(' ');
            if (!double.TryParse(text.AsSpan(cut + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                || !double.IsFinite(value) || value < 0)
            {
                throw new InvalidDataException($"Line {number} does not end in a space and a number.");
            }

            lines.Add((cut < 0 ? "" : text[..cut], value));
        }

        if (lines.Count == 0)
        {
            throw new InvalidDataException("It has no stacks.");
        }

        return Build(lines, about);
    }

    private static StackProfile Build(List<(string Stack, double Value)> lines, StackProfile about)
    {
        bool placed = lines.All(l => l.Stack.EndsWith(')'));
        List<StackFrame> frames = [];
        Dictionary<string, int> numbers = [];
        ProfileBuilder builder = new(frames);
        int thread = builder.Thread(null, null);
        foreach ((string stack, double value) in lines)
        {
            List<int> path = [];
            foreach (string text in Split(stack, placed))
            {
                if (!numbers.TryGetValue(text, out int number))
                {
                    number = frames.Count;
                    frames.Add(Frame(text));
                    numbers.Add(text, number);
                }

                path.Add(number);
            }

            builder.Add(thread, [.. path], value, (long)Math.Round(value));
        }

        return builder.Build(about) with { Timeline = null, Threads = [] };
    }

    private static IEnumerable<string> Split(string stack, bool placed)
    {
        string? open = null;
        foreach (string part in stack.Split(';'))
        {
            string text = open is null ? part : $"{open};{part}";
            bool complete = !placed || Place().IsMatch(text) || Grouping().IsMatch(text);
            open = complete ? null : text;
            if (complete && text.Length > 0)
            {
                yield return text;
            }
        }

        if (open is not null)
        {
            foreach (string part in open.Split(';'))
            {
                yield return part;
            }
        }
    }

    private static StackFrame Frame(string text)
    {
        Match match = Place().Match(text);
        if (!match.Success)
        {
            return new StackFrame { Name = text };
        }

        int? line = int.TryParse(match.Groups["line"].Value, CultureInfo.InvariantCulture, out int number) && number > 0
            ? number
            : null;
        return new StackFrame { Name = match.Groups["name"].Value, FileName = match.Groups["file"].Value, Line = line };
    }

    [GeneratedRegex(@"\A(?<name>.+?) \((?<file>[^()]+?)(?::(?<line>\d{1,9}))?\)\z", RegexOptions.Singleline)]
    private static partial Regex Place();

    /// <summary>The frames that py-spy puts around stacks for processes and threads.</summary>
    [GeneratedRegex("""\A(?:process \d+:".*"|thread (?:\(.*\)|0x[0-9A-Fa-f]+))\z""", RegexOptions.Singleline)]
    private static partial Regex Grouping();
}
