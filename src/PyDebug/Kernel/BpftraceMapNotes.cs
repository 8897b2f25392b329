using System;
using System.Collections.Generic;

namespace PyDebug.Tools.Bpftrace;

/// <summary>What a program's text says of its maps.</summary>
/// <param name="text">The program.</param>
internal sealed class BpftraceMapNotes(string text)
{
    private readonly Dictionary<string, IReadOnlyList<string>> _keys = new(StringComparer.Ordinal);

    private readonly Dictionary<string, string> _functions = new(StringComparer.Ordinal);

    /// <summary>The expressions in the brackets of each map, by its name with the at sign.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Keys => _keys;

    /// <summary>What each map gathers, such as <c>count</c>, where the program calls a function for it.</summary>
    public IReadOnlyDictionary<string, string> Functions => _functions;

    /// <summary>Notes what stands behind the name of a map.</summary>
    public void Note(string map, BpftraceScanner scanner)
    {
        scanner.SkipSpace();
        if (scanner.Current == '[')
        {
            IReadOnlyList<string>? keys = TakeKeys(ref scanner);
            if (keys is null)
            {
                return;
            }

            _keys.TryAdd(map, keys);
        }

        scanner.SkipSpace();
        if (scanner.Current == '+' && scanner.Next == '+')
        {
            _functions.TryAdd(map, "count");
        }
        else if (scanner.Current == '=' && scanner.Next != '=')
        {
            scanner.Position++;
            scanner.SkipSpace();
            string name = scanner.TakeName().ToString();
            if (name.Length > 0 && scanner.Ahead() == '(')
            {
                _functions.TryAdd(map, name);
            }
        }
    }

    private List<string>? TakeKeys(ref BpftraceScanner scanner)
    {
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
                keys.Add(text[start..scanner.Position].Trim());
                start = scanner.Position + 1;
            }

            scanner.Position++;
            if (depth == 0)
            {
                return keys;
            }
        }

        return null;
    }
}
