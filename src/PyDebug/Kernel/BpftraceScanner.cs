using System;

namespace PyDebug.Tools.Bpftrace;

/// <summary>
/// Steps over the units of a bpftrace program: white space, comments, texts, names, attach points, blocks.
/// </summary>
internal ref struct BpftraceScanner(string text)
{
    /// <summary>Where the scanner stands.</summary>
    public int Position { get; set; }

    public readonly bool AtEnd => Position >= text.Length;

    public readonly char Current => Position < text.Length ? text[Position] : '\0';

    public readonly char Next => Position + 1 < text.Length ? text[Position + 1] : '\0';

    public static bool IsNameStart(char c) => char.IsAsciiLetter(c) || c == '_';

    public static bool IsNamePart(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    /// <summary>Steps over white space and comments.</summary>
    public void SkipSpace()
    {
        while (!AtEnd)
        {
            if (char.IsWhiteSpace(Current))
            {
                Position++;
            }
            else if (!SkipComment())
            {
                return;
            }
        }
    }

    /// <summary>Steps over a comment; false where none begins here.</summary>
    public bool SkipComment()
    {
        if (Current != '/' || Next is not ('/' or '*'))
        {
            return false;
        }

        string end = Next == '*' ? "*/" : "\n";
        int found = text.IndexOf(end, Position + 2, StringComparison.Ordinal);
        Position = found < 0 ? text.Length : found + end.Length;
        return true;
    }

    /// <summary>Steps over a text in quotes; false where none begins here.</summary>
    public bool SkipText()
    {
        if (Current != '"')
        {
            return false;
        }

        for (Position++; !AtEnd && Current != '"'; Position++)
        {
            if (Current == '\\')
            {
                Position++;
            }
        }

        Position = Math.Min(Position + 1, text.Length);
        return true;
    }

    /// <summary>Steps over the rest of a line of the preprocessor, with those that continue it.</summary>
    public void SkipLine()
    {
        while (!AtEnd && Current != '\n')
        {
            Position += Current == '\\' ? 2 : 1;
        }

        Position = Math.Min(Position, text.Length);
    }

    /// <summary>Steps over a name and returns it.</summary>
    public ReadOnlySpan<char> TakeName()
    {
        int start = Position;
        while (!AtEnd && IsNamePart(Current))
        {
            Position++;
        }

        return text.AsSpan(start, Position - start);
    }

    /// <summary>Steps over an attach point and returns it.</summary>
    public string TakeAttachPoint()
    {
        int start = Position;
        bool path = false;
        int colons = 0;
        while (!AtEnd && !char.IsWhiteSpace(Current) && Current is not ('{' or ','))
        {
            if (SkipText())
            {
                continue;
            }

            if (Current == ':')
            {
                colons++;
                path = colons == 1 && BpftraceProbe.HasPath(text[start..Position]);
            }
            else if (Current == '/' && !path)
            {
                break;
            }

            Position++;
        }

        return text[start..Position];
    }

    /// <summary>
    /// Steps over the next name that stands for itself, or a map's with its at sign; null where one step led to none.
    /// Members, variables and names of types are not names that stand for themselves.
    /// </summary>
    public (int Place, string Word)? TakeWord()
    {
        if (SkipComment() || SkipText())
        {
            return null;
        }

        int place = Position;
        char first = Current;
        if (first is '@' or '$' or '.' || (first == '-' && Next == '>'))
        {
            Position += first == '-' ? 2 : 1;
            if (first is '.' or '-')
            {
                SkipSpace();
            }

            TakeName();
            return first == '@' ? (place, text[place..Position]) : null;
        }

        if (char.IsAsciiDigit(first))
        {
            TakeName();
            return null;
        }

        if (!IsNameStart(first))
        {
            Position++;
            return null;
        }

        string word = TakeName().ToString();
        if (word is "struct" or "union" or "enum")
        {
            SkipSpace();
            TakeName();
            return null;
        }

        return (place, word);
    }

    /// <summary>Steps to a character outside of comments and texts, or to the end.</summary>
    public void SkipTo(char end)
    {
        while (!AtEnd && Current != end)
        {
            if (!SkipComment() && !SkipText())
            {
                Position++;
            }
        }
    }

    /// <summary>Where the slash is that ends a predicate: the one before the body.</summary>
    public readonly int EndOfPredicate()
    {
        BpftraceScanner scanner = this;
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

    /// <summary>Where the block ends that begins here or further on.</summary>
    public readonly int EndOfBlock()
    {
        BpftraceScanner scanner = this;
        scanner.SkipTo('{');
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

    /// <summary>What follows white space and comments.</summary>
    public readonly char Ahead()
    {
        BpftraceScanner ahead = this;
        ahead.SkipSpace();
        return ahead.Current;
    }
}
