using System;
using System.Buffers;
using System.Buffers.Text;
using System.IO;
using System.Text;
using System.Text.Json;
using System.Threading;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>
/// Reads JSON token by token from a stream, so that a file of any size takes a buffer's memory. What a text is allowed
/// to be is bounded, and the reader stops when it is told to.
/// </summary>
internal sealed class JsonTokens(Stream stream, CancellationToken ct)
{
    private const int LongestToken = 16 << 20;

    private const int DeepestValue = 16;

    private const int StepsPerLook = 4096;

    private static readonly byte[] s_mark = [0xef, 0xbb, 0xbf];

    private byte[] _buffer = new byte[64 << 10];

    private int _start;

    private int _end;

    private bool _final;

    private bool _begun;

    private int _steps;

    private JsonReaderState _state = new(new JsonReaderOptions { MaxDepth = DeepestValue });

    private int _valueStart;

    private int _valueLength;

    private bool _isEscaped;

    /// <summary>The kind of the token that was read last.</summary>
    public JsonTokenType Type { get; private set; }

    /// <summary>
    /// The text of a string or of a property's name; null of half a pair, which no encoding can carry.
    /// </summary>
    public string? Text
    {
        get
        {
            if (Type is not (JsonTokenType.String or JsonTokenType.PropertyName))
            {
                return null;
            }

            if (!_isEscaped)
            {
                return Encoding.UTF8.GetString(Value);
            }

            try
            {
                Utf8JsonReader quoted = new(_buffer.AsSpan(_valueStart - 1, _valueLength + 2));
                quoted.Read();
                return quoted.GetString();
            }
            catch (InvalidOperationException)
            {
                return null;
            }
        }
    }

    private ReadOnlySpan<byte> Value => _buffer.AsSpan(_valueStart, _valueLength);

    /// <summary>Reads the next token; false at the end of a whole value.</summary>
    /// <exception cref="JsonException">It is not JSON, or the end is missing.</exception>
    /// <exception cref="LimitExceededException">A text is too long.</exception>
    public bool Read()
    {
        if (++_steps % StepsPerLook == 0)
        {
            ct.ThrowIfCancellationRequested();
        }

        while (true)
        {
            Utf8JsonReader reader = new(_buffer.AsSpan(_start, _end - _start), _final, _state);
            bool found = reader.Read();
            int begin = _start;
            _start += (int)reader.BytesConsumed;
            _state = reader.CurrentState;
            if (found)
            {
                Type = reader.TokenType;
                bool quoted = Type is JsonTokenType.String or JsonTokenType.PropertyName;
                _valueStart = begin + (int)reader.TokenStartIndex + (quoted ? 1 : 0);
                _valueLength = reader.ValueSpan.Length;
                _isEscaped = reader.ValueIsEscaped;
                return true;
            }

            if (_final)
            {
                return false;
            }

            Fill();
        }
    }

    /// <summary>The token as a whole number; null where it is none.</summary>
    public int? Integer()
        => Type == JsonTokenType.Number && Utf8Parser.TryParse(Value, out int number, out int read)
            && read == Value.Length
            ? number
            : null;

    /// <summary>The token as a long number; null where it is none.</summary>
    public long? Long()
        => Type == JsonTokenType.Number && Utf8Parser.TryParse(Value, out long number, out int read)
            && read == Value.Length
            ? number
            : null;

    /// <summary>The token as a number; null where it is none.</summary>
    public double? Number()
        => Type == JsonTokenType.Number
            && Utf8Parser.TryParse(Value, out double number, out int read)
            && read == Value.Length
            && double.IsFinite(number)
            ? number
            : null;

    /// <summary>Steps to the end of the value that begins here.</summary>
    public void Skip()
    {
        int depth = 0;
        do
        {
            depth += Type switch
            {
                JsonTokenType.StartObject or JsonTokenType.StartArray => 1,
                JsonTokenType.EndObject or JsonTokenType.EndArray => -1,
                _ => 0,
            };
        }
        while (depth > 0 && Read());
    }

    /// <summary>The value that begins here as a document; null where it is larger than that many bytes.</summary>
    public JsonDocument? Take(int mostBytes)
    {
        ArrayBufferWriter<byte> bytes = new();
        using Utf8JsonWriter json = new(bytes);
        int depth = 0;
        do
        {
            depth += Type switch
            {
                JsonTokenType.StartObject or JsonTokenType.StartArray => 1,
                JsonTokenType.EndObject or JsonTokenType.EndArray => -1,
                _ => 0,
            };
            if (json.BytesCommitted + json.BytesPending + _valueLength <= mostBytes)
            {
                Write(json);
            }
            else
            {
                // One more than is allowed, and nothing beyond.
                mostBytes = -1;
            }
        }
        while (depth > 0 && Read());
        if (mostBytes < 0)
        {
            return null;
        }

        json.Flush();
        return JsonDocument.Parse(bytes.WrittenMemory, new JsonDocumentOptions { MaxDepth = DeepestValue });
    }

    private void Write(Utf8JsonWriter json)
    {
        switch (Type)
        {
            case JsonTokenType.StartObject:
                json.WriteStartObject();
                break;
            case JsonTokenType.EndObject:
                json.WriteEndObject();
                break;
            case JsonTokenType.StartArray:
                json.WriteStartArray();
                break;
            case JsonTokenType.EndArray:
                json.WriteEndArray();
                break;
            case JsonTokenType.PropertyName:
                json.WritePropertyName(Text ?? "");
                break;
            case JsonTokenType.String:
                json.WriteStringValue(Text);
                break;
            default:
                json.WriteRawValue(Value);
                break;
        }
    }

    private void Fill()
    {
        ct.ThrowIfCancellationRequested();
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            if (_buffer.Length >= LongestToken)
            {
                throw new LimitExceededException($"A text in it is longer than {LongestToken >> 20} MiB.");
            }

            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        do
        {
            int read = stream.Read(_buffer, _end, _buffer.Length - _end);
            _final = read == 0;
            _end += read;
        }
        while (!_begun && !_final && _end < s_mark.Length);
        if (!_begun)
        {
            _begun = true;
            _start = _buffer.AsSpan(0, _end).StartsWith(s_mark) ? s_mark.Length : 0;
        }
    }
}
