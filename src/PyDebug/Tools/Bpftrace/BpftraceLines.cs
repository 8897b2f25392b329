using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace PyDebug.Tools.Bpftrace;

/// <summary>Cuts what comes in chunks into lines.</summary>
internal sealed class BpftraceLines
{
    private const int LongestLine = 256 << 20;

    private readonly MemoryStream _rest = new();

    /// <summary>The lines that a chunk completes.</summary>
    public IEnumerable<string> Take(ReadOnlyMemory<byte> chunk)
    {
        while (chunk.Span.IndexOf((byte)'\n') is int end and >= 0)
        {
            _rest.Write(chunk.Span[..end]);
            chunk = chunk[(end + 1)..];
            yield return Line();
        }

        if (_rest.Length + chunk.Length <= LongestLine)
        {
            _rest.Write(chunk.Span);
        }
    }

    /// <summary>What stands behind the last line's end.</summary>
    public string Rest() => Line();

    private string Line()
    {
        string line = Encoding.UTF8.GetString(_rest.GetBuffer(), 0, (int)_rest.Length);
        _rest.SetLength(0);
        return line;
    }
}
