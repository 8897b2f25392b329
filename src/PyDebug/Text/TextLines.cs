using System;
using System.IO;
using System.Text;
using System.Threading;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>Reads a text line by line; a line that is too long is refused before it is in memory.</summary>
internal sealed class TextLines(TextReader reader, int longest, CancellationToken ct)
{
    private readonly char[] _buffer = new char[32 << 10];

    private readonly StringBuilder _line = new();

    private int _start;

    private int _end;

    /// <summary>The number of the line that was read last, from 1.</summary>
    public long Number { get; private set; }

    /// <summary>The next line without its end; null where there is none.</summary>
    /// <exception cref="LimitExceededException">It is too long.</exception>
    public string? Next()
    {
        _line.Clear();
        while (true)
        {
            if (_start == _end)
            {
                ct.ThrowIfCancellationRequested();
                _start = 0;
                _end = reader.Read(_buffer, 0, _buffer.Length);
                if (_end <= 0)
                {
                    _end = 0;
                    Number += _line.Length > 0 ? 1 : 0;
                    return _line.Length > 0 ? _line.ToString() : null;
                }
            }

            int found = Array.IndexOf(_buffer, '\n', _start, _end - _start);
            int stop = found < 0 ? _end : found;
            _line.Append(_buffer, _start, stop - _start);
            if (_line.Length > longest)
            {
                throw new LimitExceededException($"Line {Number + 1} is longer than {longest >> 20} Mi characters.");
            }

            _start = found < 0 ? _end : found + 1;
            if (found >= 0)
            {
                Number++;
                return _line.ToString();
            }
        }
    }
}
