using System;
using System.Collections.Generic;
using System.Globalization;
using PyDebug.Errors;

namespace PyDebug.Tools.Bpftrace;

/// <summary>Reads a user's program and takes it apart into what stays as it is and what is put in.</summary>
/// <param name="text">The program, with line feeds alone.</param>
/// <param name="scoped">Whether it shall see the target alone.</param>
/// <param name="byHand">Whether probes that cannot be narrowed stay as they are.</param>
internal sealed class BpftraceRewriter(string text, bool scoped, bool byHand)
{
    /// <summary>The word for "this is a thread of the target's".</summary>
    public const string Target = "target";

    /// <summary>The word for the Python stack of the current thread.</summary>
    public const string PythonStack = "pystack";

    // The statements that the agent puts at the beginning of the body leave it there.
    private const string PythonStackVariable = "$pydebug_stack";

    // Paths that differ from one container to the next, in attach points.
    private static readonly string[] s_places = ["__libc__", "__python__"];

    private readonly List<BpftracePart> _parts = [];

    private readonly List<BpftraceProbe> _probes = [];

    private readonly BpftraceMapNotes _maps = new(text);

    private int _copied;

    /// <summary>The pieces of the program as it runs.</summary>
    public IReadOnlyList<BpftracePart> Parts => _parts;

    /// <summary>The attach points.</summary>
    public IReadOnlyList<BpftraceProbe> Probes => _probes;

    /// <summary>The expressions in the brackets of each map, by its name with the at sign.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Keys => _maps.Keys;

    /// <summary>What each map gathers.</summary>
    public IReadOnlyDictionary<string, string> Functions => _maps.Functions;

    /// <summary>Reads the whole program.</summary>
    /// <exception cref="PyDebugException">A probe cannot be made to do what was asked for.</exception>
    public void ReadAll()
    {
        BpftraceScanner scanner = new(text);
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
                    scanner.SkipTo('{');
                    ReadBlock(ref scanner, rewrite: false);
                    break;
                case "macro" or "fn":
                    scanner.SkipTo('{');
                    ReadBlock(ref scanner, rewrite: true);
                    break;
                case "let" or "import":
                    scanner.SkipTo(';');
                    break;
                default:
                    ReadProbe(ref scanner);
                    break;
            }
        }

        Copy(text.Length);
    }

    /// <summary>The word that a definition begins with; empty for a probe, whose kind has a colon behind it.</summary>
    private static string Opening(BpftraceScanner scanner)
    {
        string word = scanner.TakeName().ToString();
        bool apart = char.IsWhiteSpace(scanner.Current) || (word == "config" && scanner.Current is '=' or '{');
        return apart ? word : "";
    }

    private void ReadProbe(ref BpftraceScanner scanner)
    {
        int first = _probes.Count;
        while (true)
        {
            scanner.SkipSpace();
            int start = scanner.Position;
            string point = scanner.TakeAttachPoint();
            if (point.Length > 0)
            {
                _probes.Add(new BpftraceProbe(point, BpftraceProgram.PlaceOf(text, start).Line));
                PutPlaces(point, start);
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
            end = scanner.EndOfPredicate();
        }

        // What the predicate and the body say comes first: a probe that has the word was scoped by its author.
        BpftraceScanner body = scanner;
        body.Position = end;
        int endOfBody = body.EndOfBlock();
        bool scopes = !Has(Target, predicate, endOfBody) && NeedsScope(own);
        bool walks = Has(PythonStack, end, endOfBody);
        if (walks || Has(PythonStack, predicate, end))
        {
            RequirePythonStack(own, walks);
        }

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

            scanner.Position = Math.Min(end + 1, text.Length);
            scanner.SkipTo('{');
        }
        else if (scopes)
        {
            Copy(scanner.Position);
            Insert("/", scanner.Position);
            Word(Target, scanner.Position);
            Insert("/ ", scanner.Position);
        }

        if (walks)
        {
            scanner.SkipTo('{');
            int open = scanner.Position;
            Copy(Math.Min(open + 1, text.Length));
            Insert(" ", open);
            Word(PythonStack, open);
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

    private bool Has(string word, int start, int end)
    {
        BpftraceScanner scanner = new(text) { Position = start };
        while (scanner.Position < end)
        {
            if (scanner.TakeWord() is (int place, string found) && found == word && place < end)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Refuses a Python stack where there is no current thread that it could be of.</summary>
    private void RequirePythonStack(List<BpftraceProbe> probes, bool inBody)
    {
        string? why = !scoped ? "it is known of the target's processes alone, not of the whole node"
            : !inBody ? "it is made at the beginning of the body, behind the predicate"
            : probes.Exists(p => p.IsProgramWide) ? "the probe belongs to no thread"
            : null;
        foreach (BpftraceProbe probe in probes)
        {
            if ((why ?? probe.WhyNotScoped()) is string reason)
            {
                throw ErrorFactory.Local(
                    LocalCause.PythonStackMisplaced,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"Line {probe.Line}: {probe.Text} has no {PythonStack}: {reason}."));
            }
        }
    }

    private bool NeedsScope(List<BpftraceProbe> probes)
    {
        if (!scoped || probes.TrueForAll(p => p.IsProgramWide))
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
                if (byHand)
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
        int end = scanner.EndOfBlock();
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
            if (scanner.TakeWord() is not (int place, string word))
            {
                continue;
            }

            if (word[0] == '@')
            {
                _maps.Note(word, scanner);
            }
            else if (word == PythonStack)
            {
                Copy(place);
                Insert(PythonStackVariable, place);
                _copied = scanner.Position;
            }
            else if (word == Target || (word is "pid" or "tid" && scanner.Ahead() != '('))
            {
                Copy(place);
                Word(word, place);
                _copied = scanner.Position;
            }
        }
    }

    private void Copy(int end)
    {
        if (end > _copied)
        {
            _parts.Add(new BpftracePart(text[_copied..end], IsWord: false, _copied, IsCopied: true));
            _copied = end;
        }
    }

    private void Insert(string text, int place)
        => _parts.Add(new BpftracePart(text, IsWord: false, place, IsCopied: false));

    private void Word(string name, int place)
        => _parts.Add(new BpftracePart(name, IsWord: true, place, IsCopied: false));
}
