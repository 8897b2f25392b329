using System;

namespace PyDebug.Tools.Bpftrace;

/// <summary>Steps over the lexical units of a bpftrace program: white space, comments, texts, names.</summary>
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

    /// <summary>What follows white space and comments.</summary>
    public readonly char Ahead()
    {
        BpftraceScanner ahead = this;
        ahead.SkipSpace();
        return ahead.Current;
    }
}
