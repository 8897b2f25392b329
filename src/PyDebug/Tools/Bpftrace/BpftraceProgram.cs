using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using PyDebug.Errors;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// A user's program made into the one that runs: every probe that fires in a thread gets the predicate that leaves the
/// target's threads over, and the words <c>target</c>, <c>pid</c> and <c>tid</c> give way to expressions that are right
/// in every version and namespace. Nothing moves to another line.
/// </summary>
internal sealed class BpftraceProgram
{
    public const string Target = "target";

    private const int MostProbes = 256;

    private readonly List<BpftracePart> _parts = [];

    private readonly List<BpftraceProbe> _probes = [];

    private readonly Dictionary<string, IReadOnlyList<string>> _keys = new(StringComparer.Ordinal);

    // Paths that differ from one container to the next, in attach points.
    private static readonly string[] s_places = ["__libc__", "__python__"];

    private readonly bool _scoped;

    private readonly bool _byHand;

    private int _copied;

    private BpftraceProgram(string text, bool scoped, bool byHand)
    {
        Text = text;
        _scoped = scoped;
        _byHand = byHand;
    }

    /// <summary>The user's own program.</summary>
    public string Text { get; }

    /// <summary>The attach points.</summary>
    public IReadOnlyList<BpftraceProbe> Probes => _probes;

    /// <summary>The expressions in the brackets of each map, by its name with the at sign.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Keys => _keys;

    /// <summary>Reads a program.</summary>
    /// <param name="text">The program.</param>
    /// <param name="scoped">Whether it shall see the target alone.</param>
    /// <param name="byHand">Whether probes that cannot be narrowed stay as they are: it sees to that itself.</param>
    /// <exception cref="PyDebugException">A probe cannot be made to see the target alone, or there is none.</exception>
    public static BpftraceProgram Parse(string text, bool scoped, bool byHand = false)
    {
        BpftraceProgram program = new(text.ReplaceLineEndings("\n"), scoped, byHand);
        program.ReadAll();
        if (program._probes.Count == 0)
        {
            throw ErrorFactory.Local(LocalCause.ProgramInvalid, "The program has no probe.");
        }

        if (program._probes.Count > MostProbes)
        {
            throw ErrorFactory.Local(LocalCause.ProgramInvalid, $"The program has more than {MostProbes} probes.");
        }

        return program;
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
        string text = Render(words);
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

        foreach (BpftracePart part in _parts)
        {
            int length = Rendered(part, words).Length;
            if (place < length)
            {
                return PlaceOf(part.IsCopied ? part.Start + place : part.Start);
            }

            place -= length;
        }

        return PlaceOf(Text.Length);
    }

    private static string Rendered(BpftracePart part, IReadOnlyDictionary<string, string> words)
        => part.IsWord ? words.GetValueOrDefault(part.Text, part.Text) : part.Text;

    private (int Line, int Column) PlaceOf(int offset)
    {
        offset = Math.Min(offset, Text.Length);
        int lineStart = offset == 0 ? 0 : Text.LastIndexOf('\n', offset - 1) + 1;
        return (Text.AsSpan(0, offset).Count('\n') + 1, offset - lineStart + 1);
    }

    private void ReadAll()
    {
        BpftraceScanner scanner = new(Text);
        while (true)
        {
            scanner.SkipSpace();
            if (scanner.AtEnd)
            {
                break;
            }

            if (scanner.Current == '#')
            {
                scanner.SkipLine();
                continue;
            }

            if (scanner.Current is ';' or '}')
            {
                scanner.Position++;
                continue;
            }

            switch (Opening(scanner))
            {
                case "struct" or "union" or "enum" or "config":
                    SkipTo(ref scanner, '{');
                    ReadBlock(ref scanner, rewrite: false);
                    break;
                case "macro" or "fn":
                    SkipTo(ref scanner, '{');
                    ReadBlock(ref scanner, rewrite: true);
                    break;
                case "let" or "import":
                    SkipTo(ref scanner, ';');
                    break;
                default:
                    ReadProbe(ref scanner);
                    break;
            }
        }

        Copy(Text.Length);
    }

    /// <summary>The word that a definition begins with; empty for a probe, whose kind has a colon behind it.</summary>
    private static string Opening(BpftraceScanner scanner)
    {
        string word = scanner.TakeName().ToString();
        bool apart = char.IsWhiteSpace(scanner.Current) || (word == "config" && scanner.Current is '=' or '{');
        return apart ? word : "";
    }

    private static void SkipTo(ref BpftraceScanner scanner, char end)
    {
        while (!scanner.AtEnd && scanner.Current != end)
        {
            if (!scanner.SkipComment() && !scanner.SkipText())
            {
                scanner.Position++;
            }
        }
    }

    private void ReadProbe(ref BpftraceScanner scanner)
    {
        int first = _probes.Count;
        while (true)
        {
            scanner.SkipSpace();
            int start = scanner.Position;
            string text = ReadAttachPoint(ref scanner);
            if (text.Length > 0)
            {
                _probes.Add(new BpftraceProbe(text, PlaceOf(start).Line));
                PutPlaces(text, start);
            }

            scanner.SkipSpace();
            if (scanner.AtEnd || scanner.Current is '{' or '/')
            {
                break;
            }

            if (scanner.Current == ',' || scanner.Position == start)
            {
                scanner.Position++;
            }
        }

        List<BpftraceProbe> own = _probes[first..];
        int predicate = scanner.Position;
        int end = predicate;
        bool predicated = scanner.Current == '/';
        if (predicated)
        {
            scanner.Position++;
            end = EndOfPredicate(scanner);
        }

        // What the predicate and the body say comes first: a probe that has the word was scoped by its author.
        BpftraceScanner body = scanner;
        body.Position = end;
        bool scopes = !ByHand(predicate, EndOfBlock(body)) && NeedsScope(own);
        if (predicated)
        {
            if (scopes)
            {
                Copy(predicate + 1);
                Word(Target, predicate);
                Insert(" && (", predicate);
            }

            ReadWords(ref scanner, end);
            if (scopes)
            {
                Copy(end);
                Insert(")", end);
            }

            scanner.Position = Math.Min(end + 1, Text.Length);
            SkipTo(ref scanner, '{');
        }
        else if (scopes)
        {
            Copy(scanner.Position);
            Insert("/", scanner.Position);
            Word(Target, scanner.Position);
            Insert("/ ", scanner.Position);
        }

        ReadBlock(ref scanner, rewrite: true);
    }

    private void PutPlaces(string attachPoint, int start)
    {
        foreach (string place in s_places)
        {
            if (attachPoint.IndexOf(place, StringComparison.Ordinal) is int found and >= 0)
            {
                Copy(start + found);
                Word(place.Trim('_'), start + found);
                _copied = start + found + place.Length;
            }
        }
    }

    private string ReadAttachPoint(ref BpftraceScanner scanner)
    {
        int start = scanner.Position;
        bool path = false;
        int colons = 0;
        while (!scanner.AtEnd && !char.IsWhiteSpace(scanner.Current) && scanner.Current is not ('{' or ','))
        {
            if (scanner.SkipText())
            {
                continue;
            }

            if (scanner.Current == ':')
            {
                colons++;
                path = colons == 1 && BpftraceProbe.HasPath(Text[start..scanner.Position]);
            }
            else if (scanner.Current == '/' && !path)
            {
                break;
            }

            scanner.Position++;
        }

        return Text[start..scanner.Position];
    }

    /// <summary>Where the slash is that ends a predicate: the one before the body.</summary>
    private static int EndOfPredicate(BpftraceScanner scanner)
    {
        while (!scanner.AtEnd)
        {
            if (scanner.SkipComment() || scanner.SkipText())
            {
                continue;
            }

            if (scanner.Current == '/')
            {
                BpftraceScanner behind = scanner;
                behind.Position++;
                if (behind.Ahead() == '{')
                {
                    break;
                }
            }

            scanner.Position++;
        }

        return scanner.Position;
    }

    private static int EndOfBlock(BpftraceScanner scanner)
    {
        SkipTo(ref scanner, '{');
        int depth = 0;
        while (!scanner.AtEnd)
        {
            if (scanner.SkipComment() || scanner.SkipText())
            {
                continue;
            }

            depth += scanner.Current switch
            {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            scanner.Position++;
            if (depth == 0)
            {
                break;
            }
        }

        return scanner.Position;
    }

    private bool ByHand(int start, int end)
    {
        BpftraceScanner scanner = new(Text) { Position = start };
        while (scanner.Position < end)
        {
            if (NextWord(ref scanner) is (int place, string word) && word == Target && place < end)
            {
                return true;
            }
        }

        return false;
    }

    private bool NeedsScope(List<BpftraceProbe> probes)
    {
        if (!_scoped || probes.TrueForAll(p => p.IsProgramWide))
        {
            return false;
        }

        if (probes.Find(p => p.IsProgramWide) is BpftraceProbe wide)
        {
            throw Unscoped(
                wide, "it belongs to no thread and shares its body with probes that do: give it one of its own");
        }

        foreach (BpftraceProbe probe in probes)
        {
            if (probe.WhyNotScoped() is string why)
            {
                if (_byHand)
                {
                    return false;
                }

                throw Unscoped(probe, why);
            }
        }

        return true;
    }

    private static PyDebugException Unscoped(BpftraceProbe probe, string why)
        => ErrorFactory.Local(
            LocalCause.ProbeNotScoped,
            string.Create(
                CultureInfo.InvariantCulture,
                $"Line {probe.Line}: {probe.Text} cannot be narrowed to the target: {why}."));

    private void ReadBlock(ref BpftraceScanner scanner, bool rewrite)
    {
        int end = EndOfBlock(scanner);
        if (rewrite)
        {
            ReadWords(ref scanner, end);
        }

        scanner.Position = end;
    }

    /// <summary>Puts expressions where their names stand, and notes the keys of maps.</summary>
    private void ReadWords(ref BpftraceScanner scanner, int end)
    {
        while (scanner.Position < end)
        {
            if (NextWord(ref scanner) is not (int place, string word))
            {
                continue;
            }

            if (word[0] == '@')
            {
                NoteKeys(word, scanner);
            }
            else if (word == Target || (word is "pid" or "tid" && scanner.Ahead() != '('))
            {
                Copy(place);
                Word(word, place);
                _copied = scanner.Position;
            }
        }
    }

    /// <summary>
    /// The next name that stands for itself, or a map's with its at sign; null where one step led to none. Members,
    /// variables and names of types are not names that stand for themselves.
    /// </summary>
    private (int Place, string Word)? NextWord(ref BpftraceScanner scanner)
    {
        if (scanner.SkipComment() || scanner.SkipText())
        {
            return null;
        }

        int place = scanner.Position;
        char first = scanner.Current;
        if (first is '@' or '$' or '.' || (first == '-' && scanner.Next == '>'))
        {
            scanner.Position += first == '-' ? 2 : 1;
            if (first is '.' or '-')
            {
                scanner.SkipSpace();
            }

            scanner.TakeName();
            return first == '@' ? (place, Text[place..scanner.Position]) : null;
        }

        if (char.IsAsciiDigit(first))
        {
            scanner.TakeName();
            return null;
        }

        if (!BpftraceScanner.IsNameStart(first))
        {
            scanner.Position++;
            return null;
        }

        string word = scanner.TakeName().ToString();
        if (word is "struct" or "union" or "enum")
        {
            scanner.SkipSpace();
            scanner.TakeName();
            return null;
        }

        return (place, word);
    }

    private void NoteKeys(string map, BpftraceScanner scanner)
    {
        scanner.SkipSpace();
        if (scanner.Current != '[' || _keys.ContainsKey(map))
        {
            return;
        }

        List<string> keys = [];
        int depth = 0;
        int start = scanner.Position + 1;
        while (!scanner.AtEnd)
        {
            if (scanner.SkipText() || scanner.SkipComment())
            {
                continue;
            }

            char c = scanner.Current;
            depth += c is '[' or '(' ? 1 : c is ']' or ')' ? -1 : 0;
            if (depth == 0 || (c == ',' && depth == 1))
            {
                keys.Add(Text[start..scanner.Position].Trim());
                start = scanner.Position + 1;
            }

            scanner.Position++;
            if (depth == 0)
            {
                _keys[map] = keys;
                return;
            }
        }
    }

    private void Copy(int end)
    {
        if (end > _copied)
        {
            _parts.Add(new BpftracePart(Text[_copied..end], IsWord: false, _copied, IsCopied: true));
            _copied = end;
        }
    }

    private void Insert(string text, int place)
        => _parts.Add(new BpftracePart(text, IsWord: false, place, IsCopied: false));

    private void Word(string name, int place)
        => _parts.Add(new BpftracePart(name, IsWord: true, place, IsCopied: false));
}
