using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace PyDebug.Tools.Bpftrace;

/// <summary>Cuts what comes in chunks into lines. Of a line that is too long only that it was there is known.</summary>
internal sealed class BpftraceLines
{
    private readonly int _longest;

    private readonly MemoryStream _rest = new();

    private bool _skips;

    public BpftraceLines(int longest = 128 << 20) => _longest = longest;

    /// <summary>How many lines were too long.</summary>
    public long SkippedLines { get; private set; }

    /// <summary>The lines that a chunk completes.</summary>
    public IEnumerable<string> Take(ReadOnlyMemory<byte> chunk)
    {
        while (chunk.Span.IndexOf((byte)'\n') is int end and >= 0)
        {
            Keep(chunk.Span[..end]);
            chunk = chunk[(end + 1)..];
            yield return Line();
        }

        Keep(chunk.Span);
    }

    /// <summary>What stands behind the last line's end.</summary>
    public string Rest() => Line();

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        _skips |= _rest.Length + bytes.Length > _longest;
        if (!_skips)
        {
            _rest.Write(bytes);
        }
    }

    private string Line()
    {
        string line = _skips ? "" : Encoding.UTF8.GetString(_rest.GetBuffer(), 0, (int)_rest.Length);
        SkippedLines += _skips ? 1 : 0;
        _skips = false;
        _rest.SetLength(0);
        return line;
    }
}
