using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>
/// What a login helper says on its standard error. One that takes its time may ask for something, such as a code to be
/// typed in somewhere, so its words are shown while it waits; those of one that is done at once are for who wants
/// details.
/// </summary>
internal sealed class HelperWords
{
    private const int LongestLine = 500;
    private const int MostLines = 100;

    private readonly object _lock = new();
    private readonly string _helper;
    private readonly Action<string>? _tell;
    private readonly Action<string>? _warn;
    private readonly List<string> _held = [];
    private bool _shown;
    private int _count;

    public HelperWords(string helper, Action<string>? tell, Action<string>? warn)
    {
        _helper = helper;
        _tell = tell;
        _warn = warn;
    }

    /// <summary>The last line; empty where there was none.</summary>
    public string Last { get; private set; } = string.Empty;

    /// <summary>Takes lines until the helper closes the stream.</summary>
    public async Task ReadAsync(Stream stream, CancellationToken ct)
    {
        StringBuilder line = new();
        byte[] buffer = new byte[4096];
        char[] text = new char[4097];
        Decoder decoder = Encoding.UTF8.GetDecoder();
        int read;
        while ((read = await stream.ReadAsync(buffer, ct).ConfigureAwait(false)) > 0)
        {
            foreach (char c in text.AsSpan(0, decoder.GetChars(buffer, 0, read, text, 0)).ToArray())
            {
                if (c is '\n' or '\r')
                {
                    Add(line);
                }
                else if (line.Length < LongestLine)
                {
                    line.Append(c);
                }
            }
        }

        Add(line);
    }

    /// <summary>Shows what was said, and from now on each line at once.</summary>
    public void Show()
    {
        lock (_lock)
        {
            _shown = true;
            _held.ForEach(l => _warn?.Invoke(l));
            _held.Clear();
        }
    }

    /// <summary>Hands what was not shown to who wants details.</summary>
    public void Finish()
    {
        lock (_lock)
        {
            _held.ForEach(l => _tell?.Invoke(l));
            _held.Clear();
        }
    }

    private void Add(StringBuilder line)
    {
        string said = line.ToString().Trim();
        line.Clear();
        if (said.Length == 0)
        {
            return;
        }

        lock (_lock)
        {
            Last = said;
            if (++_count > MostLines)
            {
                return;
            }

            string words = $"Login helper '{_helper}' says: {said}";
            if (_shown)
            {
                _warn?.Invoke(words);
            }
            else
            {
                _held.Add(words);
            }
        }
    }
}
