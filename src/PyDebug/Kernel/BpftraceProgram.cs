using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PyDebug.Errors;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// A user's program made into the one that runs: every probe that fires in a thread gets the predicate that leaves the
/// target's threads over, and the words <c>target</c>, <c>pid</c>, <c>tid</c> and <c>pystack</c> give way to what is
/// right in every version and namespace. Nothing moves to another line.
/// </summary>
internal sealed partial class BpftraceProgram
{
    private const int MostProbes = 256;

    private readonly IReadOnlyList<BpftracePart> _parts;

    private BpftraceProgram(string text, BpftraceRewriter rewriter)
    {
        Text = text;
        _parts = rewriter.Parts;
        Probes = rewriter.Probes;
        Keys = rewriter.Keys;
        Functions = rewriter.Functions;
    }

    /// <summary>The user's own program.</summary>
    public string Text { get; }

    /// <summary>The attach points.</summary>
    public IReadOnlyList<BpftraceProbe> Probes { get; }

    /// <summary>The expressions in the brackets of each map, by its name with the at sign.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Keys { get; }

    /// <summary>What each map gathers, such as <c>count</c>, where the program calls a function for it.</summary>
    public IReadOnlyDictionary<string, string> Functions { get; }

    /// <summary>Whether it asks for Python stacks.</summary>
    public bool HasPythonStacks => _parts.Any(p => p.IsWord && p.Text == BpftraceRewriter.PythonStack);

    /// <summary>
    /// Whether its reads are to be checked: it follows pointers, which may lead nowhere. A multiplication or a comment
    /// is taken for one, which costs nothing but a check. Not where there may be a choice by <c>?</c>: bpftrace 0.23.2
    /// compiles a read within one wrongly with -k, and gives the other branch's value.
    /// </summary>
    public bool NeedsChecks => Pointer().IsMatch(Text) && !Text.Contains('?', StringComparison.Ordinal);

    /// <summary>Reads a program.</summary>
    /// <param name="text">The program.</param>
    /// <param name="scoped">Whether it shall see the target alone.</param>
    /// <param name="byHand">Whether probes that cannot be narrowed stay as they are: it sees to that itself.</param>
    /// <exception cref="PyDebugException">
    /// A probe cannot be made to see the target alone, has no Python stack that was asked for, or there is none.
    /// </exception>
    public static BpftraceProgram Parse(string text, bool scoped, bool byHand = false)
    {
        text = text.ReplaceLineEndings("\n");
        BpftraceRewriter rewriter = new(text, scoped, byHand);
        rewriter.ReadAll();
        if (rewriter.Probes.Count == 0)
        {
            throw ErrorFactory.Local(LocalCause.ProgramInvalid, "The program has no probe.");
        }

        if (rewriter.Probes.Count > MostProbes)
        {
            throw ErrorFactory.Local(LocalCause.ProgramInvalid, $"The program has more than {MostProbes} probes.");
        }

        return new BpftraceProgram(text, rewriter);
    }

    /// <summary>The program as the agent takes it: texts, and the name of an expression between each two.</summary>
    public JsonArray ToJson()
    {
        JsonArray parts = [];
        StringBuilder text = new();
        foreach (BpftracePart part in _parts)
        {
            if (!part.IsWord)
            {
                text.Append(part.Text);
                continue;
            }

            parts.Add((JsonNode)text.ToString());
            parts.Add((JsonNode)part.Text);
            text.Clear();
        }

        parts.Add((JsonNode)text.ToString());
        return parts;
    }

    /// <summary>The program as it runs.</summary>
    /// <param name="words">The expressions by their names.</param>
    public string Render(IReadOnlyDictionary<string, string> words)
        => string.Concat(_parts.Select(p => Rendered(p, words)));

    /// <summary>The place in the user's program that a place in the program as it runs stands for.</summary>
    /// <param name="words">The expressions by their names.</param>
    /// <param name="line">The line, from 1.</param>
    /// <param name="column">The column, from 1, counted in bytes as bpftrace does.</param>
    /// <returns>The line and the column, both from 1.</returns>
    public (int Line, int Column) ToUser(IReadOnlyDictionary<string, string> words, int line, int column)
    {
        int place = Offset(Render(words), line, column);
        foreach (BpftracePart part in _parts)
        {
            int length = Rendered(part, words).Length;
            if (place < length)
            {
                return PlaceOf(Text, part.IsCopied ? part.Start + place : part.Start);
            }

            place -= length;
        }

        return PlaceOf(Text, Text.Length);
    }

    /// <summary>
    /// The map that is named at a place in the program as it runs, or last before it in the same statement.
    /// </summary>
    public string? MapAt(IReadOnlyDictionary<string, string> words, int line, int column)
    {
        string text = Render(words);
        int place = Math.Min(Offset(text, line, column), text.Length);
        int at = place < text.Length && text[place] == '@' ? place : text.LastIndexOf('@', Math.Max(0, place - 1));
        if (at < 0 || text.AsSpan(at, place - at).IndexOfAny(';', '{', '}') >= 0)
        {
            return null;
        }

        int end = at + 1;
        while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_'))
        {
            end++;
        }

        return text[at..end];
    }

    private static int Offset(string text, int line, int column)
    {
        int start = 0;
        for (int i = 1; i < line; i++)
        {
            int end = text.IndexOf('\n', start);
            if (end < 0)
            {
                break;
            }

            start = end + 1;
        }

        int place = start;
        for (int bytes = 1; place < text.Length && text[place] != '\n'; place++)
        {
            bytes += Encoding.UTF8.GetByteCount(text.AsSpan(place, 1));
            if (bytes > column)
            {
                break;
            }
        }

        return place;
    }

    private static string Rendered(BpftracePart part, IReadOnlyDictionary<string, string> words)
        => part.IsWord ? words.GetValueOrDefault(part.Text, part.Text) : part.Text;

    /// <summary>The line and the column of an offset, both from 1.</summary>
    internal static (int Line, int Column) PlaceOf(string text, int offset)
    {
        offset = Math.Min(offset, text.Length);
        int lineStart = offset == 0 ? 0 : text.LastIndexOf('\n', offset - 1) + 1;
        return (text.AsSpan(0, offset).Count('\n') + 1, offset - lineStart + 1);
    }

    [GeneratedRegex(
        @"->|\*\s*[($@A-Za-z_]|\b(?:str|kstr|ustr|buf|join|path|uptr|kptr|strncmp|strcontains|memcmp|ntop)\s*\(")]
    private static partial Regex Pointer();
}
