using System;
using System.Collections.Generic;
using System.Globalization;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>
/// Takes the text of a collapsed stack apart. Other programs split at every semicolon; where every frame ends in
/// <c>(file:line)</c>, as py-spy and PyDebug write them, or in <c>:line</c>, as Python 3.15's own profiler does, one
/// within a name is told from one between frames. Every character is looked at once.
/// </summary>
internal sealed class CollapsedStack
{
    private const string ThreadOf315 = "tid:";

    private readonly string _text;

    private readonly bool _placed;

    private readonly bool _of315;

    private readonly List<StackFrame> _frames = [];

    private int _at;

    private CollapsedStack(string text, bool placed)
    {
        _text = text;
        _of315 = text.StartsWith(ThreadOf315, StringComparison.Ordinal) && ReadThread315();
        _placed = placed && !_of315;
        if (!_of315 && !ReadOwnGroup())
        {
            ReadGroups();
        }

        ReadFrames();
    }

    /// <summary>The process, where frames around the stack name one.</summary>
    public int? ProcessId { get; private set; }

    /// <summary>
    /// Where the process is, as <c>namespace/pod/container</c>, where a frame of ours around the stack says it.
    /// </summary>
    public string? Place { get; private set; }

    /// <summary>The process's command line, where frames around the stack name it.</summary>
    public string? CommandLine { get; private set; }

    /// <summary>The thread's id, where a frame around the stack names it.</summary>
    public long? ThreadId { get; private set; }

    /// <summary>The thread's name, where a frame around the stack names it.</summary>
    public string? Thread { get; private set; }

    /// <summary>The frames, outermost first.</summary>
    public IReadOnlyList<StackFrame> Frames => _frames;

    /// <summary>Reads a stack.</summary>
    /// <param name="text">The stack's text, without the number.</param>
    /// <param name="placed">Whether every frame of the file ends in its place.</param>
    /// <exception cref="LimitExceededException">It is too deep.</exception>
    public static CollapsedStack Parse(string text, bool placed) => new(text, placed);

    /// <summary>
    /// Whether a text begins as a stack with a process or thread around it does, whose names may be anything.
    /// </summary>
    public static bool BeginsWithGroup(string text)
        => text.StartsWith("thread (", StringComparison.Ordinal) || IsProcess(text);

    private static bool IsProcess(ReadOnlySpan<char> text) => ProcessNumber(text, out _) > 0;

    /// <summary>The length of <c>process N:"</c> at a text's beginning; 0 where it begins otherwise.</summary>
    private static int ProcessNumber(ReadOnlySpan<char> text, out int number)
    {
        const string Word = "process ";
        number = 0;
        if (!text.StartsWith(Word, StringComparison.Ordinal))
        {
            return 0;
        }

        int end = Word.Length;
        while (end < text.Length && char.IsAsciiDigit(text[end]))
        {
            end++;
        }

        return text[end..].StartsWith(":\"", StringComparison.Ordinal)
            && int.TryParse(text[Word.Length..end], NumberStyles.None, CultureInfo.InvariantCulture, out number)
            ? end + 2
            : 0;
    }

    private bool ReadThread315()
    {
        int end = Semicolon(0);
        if (!long.TryParse(
            _text.AsSpan(ThreadOf315.Length, end - ThreadOf315.Length),
            NumberStyles.None,
            CultureInfo.InvariantCulture,
            out long id))
        {
            return false;
        }

        ThreadId = id;
        _at = end + 1;
        return true;
    }

    /// <summary>
    /// <c>namespace/pod/container process 7</c>, as PyDebug writes it around the stacks of several profiles.
    /// </summary>
    private bool ReadOwnGroup()
    {
        const string Word = "process ";
        int end = Semicolon(0);
        ReadOnlySpan<char> part = _text.AsSpan(0, end);
        int digits = part.LastIndexOf(' ') + 1;
        ReadOnlySpan<char> before = part[..digits];
        if (digits < part.Length && before.EndsWith(Word, StringComparison.Ordinal)
            && int.TryParse(part[digits..], NumberStyles.None, CultureInfo.InvariantCulture, out int process))
        {
            ReadOnlySpan<char> place = before[..^Word.Length].TrimEnd();
            if (place.IsEmpty || (place.Count('/') == 2 && !place.Contains(' ')))
            {
                ProcessId = process;
                Place = place.IsEmpty ? null : Safe(place);
                _at = end + 1;
                return true;
            }
        }

        return false;
    }

    /// <summary>What py-spy puts around the stacks: each process and its ancestors, then the thread.</summary>
    private void ReadGroups()
    {
        while (_at < _text.Length && ProcessNumber(_text.AsSpan(_at), out int process) is int begin and > 0)
        {
            int end = EndOfCommand(_at + begin);
            if (end < 0)
            {
                return;
            }

            ProcessId = process;
            CommandLine = Safe(_text.AsSpan(_at + begin, end - _at - begin - 1));
            _at = end + 1;
        }

        if (_at < _text.Length && _text.AsSpan(_at).StartsWith("thread (", StringComparison.Ordinal))
        {
            ReadThread();
        }
    }

    /// <summary>
    /// The end of the part that closes a command line: its quote, and behind it a group, a frame or nothing.
    /// </summary>
    private int EndOfCommand(int from)
    {
        int first = -1;
        for (int end = Semicolon(from); ; end = Semicolon(end + 1))
        {
            if (end > from && _text[end - 1] == '"')
            {
                ReadOnlySpan<char> rest = end < _text.Length ? _text.AsSpan(end + 1) : default;
                first = first < 0 ? end : first;
                if (rest.IsEmpty || !_placed || IsProcess(rest) || rest.StartsWith("thread (", StringComparison.Ordinal)
                    || IsPlaced(end + 1, Semicolon(end + 1)))
                {
                    return end;
                }
            }

            if (end >= _text.Length)
            {
                return first;
            }
        }
    }

    /// <summary>
    /// <c>thread (7013)</c> or <c>thread (7013): name</c>; the name ends where the first frame begins.
    /// </summary>
    private void ReadThread()
    {
        int open = _at + "thread (".Length;
        int close = _text.IndexOf(')', open);
        int end = Semicolon(_at);
        if (close < 0 || close >= end || !IsId(_text.AsSpan(open, close - open), out long id))
        {
            return;
        }

        if (close + 1 < end)
        {
            if (!_text.AsSpan(close + 1).StartsWith(": ", StringComparison.Ordinal))
            {
                return;
            }

            while (_placed && end < _text.Length && !IsPlaced(end + 1, Semicolon(end + 1)))
            {
                end = Semicolon(end + 1);
            }

            Thread = Safe(_text.AsSpan(close + 3, end - close - 3));
        }

        ThreadId = id;
        _at = end + 1;
    }

    private void ReadFrames()
    {
        int begin = _at;
        int end = begin - 1;
        while (end < _text.Length && begin < _text.Length)
        {
            int part = end + 1;
            end = Semicolon(part);
            bool complete = _of315 ? IsNumbered(begin, part, end) : !_placed || IsPlaced(begin, end);
            if (complete)
            {
                Add(begin, end);
                begin = end + 1;
            }
        }

        // What never came to an end is what it looks like to other programs.
        while (begin < _text.Length)
        {
            end = Semicolon(begin);
            Add(begin, end);
            begin = end + 1;
        }
    }

    private void Add(int begin, int end)
    {
        if (begin >= end)
        {
            return;
        }

        if (_frames.Count >= StackPool.Deepest)
        {
            throw new LimitExceededException($"A stack has more than {StackPool.Deepest:#,0} frames.");
        }

        if (_frames.Count == 0 && end == _text.Length && _text.AsSpan(begin).SequenceEqual(CollapsedWriter.NoFrames))
        {
            return;
        }

        _frames.Add(_of315 ? Numbered(_text.AsSpan(begin, end - begin)) : Placed(_text.AsSpan(begin, end - begin)));
    }

    private int Semicolon(int from)
    {
        int found = from >= _text.Length ? -1 : _text.IndexOf(';', from);
        return found < 0 ? _text.Length : found;
    }

    /// <summary>Whether a part ends in <c> (file:line)</c> behind a name.</summary>
    private bool IsPlaced(int begin, int end)
        => end <= _text.Length && begin < end && Bracket(_text.AsSpan(begin, end - begin)) > 0;

    /// <summary>Where the bracket of a frame's place opens; 0 where it has none.</summary>
    private static int Bracket(ReadOnlySpan<char> frame)
    {
        if (frame.Length < 4 || frame[^1] != ')')
        {
            return 0;
        }

        int open = frame[..^1].LastIndexOfAny('(', ')');
        return open > 1 && frame[open] == '(' && frame[open - 1] == ' ' && open < frame.Length - 2 ? open : 0;
    }

    private static StackFrame Placed(ReadOnlySpan<char> text)
    {
        int open = Bracket(text);
        if (open == 0)
        {
            return new StackFrame { Name = Safe(text) };
        }

        ReadOnlySpan<char> file = text[(open + 1)..^1];
        int? line = Line(file, out int colon);
        return new StackFrame
        {
            Name = Safe(text[..(open - 1)]),
            FileName = Safe(colon > 0 ? file[..colon] : file),
            Line = line > 0 ? line : null,
        };
    }

    /// <summary>
    /// Whether a frame ends in <c>:line</c>, or is one of the profiler's own, such as <c>&lt;GC&gt;</c>.
    /// </summary>
    private bool IsNumbered(int begin, int part, int end)
    {
        ReadOnlySpan<char> last = _text.AsSpan(part, end - part);
        return (Line(last, out int colon) is not null && part - begin + colon > 0)
            || (begin == part && last.Length > 2 && last[0] == '<' && last[^1] == '>' && !last.Contains(':'));
    }

    private static StackFrame Numbered(ReadOnlySpan<char> text)
    {
        int? line = Line(text, out int colon);
        int cut = colon > 0 ? text[..colon].LastIndexOf(':') : -1;
        return cut <= 0
            ? new StackFrame { Name = Safe(text) }
            : new StackFrame
            {
                Name = Safe(text[(cut + 1)..colon]),
                FileName = Safe(text[..cut]),
                Line = line > 0 ? line : null,
            };
    }

    /// <summary>The number behind a text's last colon; null where there is none.</summary>
    private static int? Line(ReadOnlySpan<char> text, out int colon)
    {
        colon = text.LastIndexOf(':');
        if (colon < 0
            || !int.TryParse(
                text[(colon + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int line))
        {
            colon = -1;
            return null;
        }

        return line;
    }

    private static bool IsId(ReadOnlySpan<char> text, out long id)
        => text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? long.TryParse(text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out id)
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id);

    private static string Safe(ReadOnlySpan<char> text) => SafeText.Line(text.ToString(), Json.TextLength);
}
