using System;
using System.Globalization;

namespace PyDebug.Tools.Bpftrace;

/// <summary>A version of bpftrace and the ways of its JSON. Of one that is not known nothing is assumed.</summary>
internal sealed class BpftraceVersion
{
    private readonly (int Major, int Minor) _number;

    /// <summary>Reads a version such as <c>0.23.2</c>.</summary>
    public BpftraceVersion(string? text)
    {
        Text = text ?? "";
        string[] parts = Text.Split('.');
        _number = parts.Length > 1
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int major)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int minor)
            ? (major, minor)
            : default;
    }

    /// <summary>The version as it was given.</summary>
    public string Text { get; }

    /// <summary>
    /// Whether the texts in a map's keys are escaped twice.
    /// (https://github.com/bpftrace/bpftrace/blob/v0.23.2/src/output.cpp, map_key_to_str.)
    /// </summary>
    public bool EscapesKeysTwice => _number.CompareTo((0, 22)) >= 0 && _number.CompareTo((0, 24)) < 0;

    /// <summary>
    /// Whether spaces are left out of a map's keys.
    /// (https://github.com/bpftrace/bpftrace/blob/v0.26.1/src/output/json.cpp, JsonEmitter of pairs.)
    /// </summary>
    public bool LeavesSpacesOut => IsOfNewOutput;

    /// <summary>
    /// Whether an escaped character leaves the stream in hexadecimal, so that the counts behind it are.
    /// (The same file: <c>std::hex</c> is set on the stream itself, and never taken back.)
    /// </summary>
    public bool StaysInHex => IsOfNewOutput;

    private bool IsOfNewOutput => _number.CompareTo((0, 24)) >= 0;
}
