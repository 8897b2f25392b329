using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace PyDebug.Internal;

/// <summary>What makes threads or tasks equal but for their number and name.</summary>
internal static class StackGroups
{
    /// <summary>From how many equal ones on a list of them is worth a hint.</summary>
    public const int ManyEqual = 20;

    private const string Descriptor = " fd ";

    /// <summary>The hint at the summary.</summary>
    public static string Hint(int count, string what, string? waits, IReadOnlyList<StackFrame> frames)
    {
        string place = frames.Count > 0 ? $"at {FrameText.Innermost(frames)}" : "without frames";
        string why = string.IsNullOrEmpty(waits) ? "" : $", waiting for {SafeText.Line(waits, 40)}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{count:#,0} {what} are equal ({place}{why}). -Summary writes equal ones as one record.");
    }

    /// <summary>What is the same of equal ones.</summary>
    public static string Key(
        int process,
        string? version,
        string state,
        string? waits,
        string? error,
        IReadOnlyList<StackFrame> frames)
    {
        StringBuilder key = new();
        key.Append(CultureInfo.InvariantCulture, $"{process}\n{version}\n{state}\n{waits}\n{error}");
        foreach (StackFrame frame in frames)
        {
            key.Append(CultureInfo.InvariantCulture, $"\n{frame.Name}\t{frame.FileName}\t{frame.Line}");
        }

        return key.ToString();
    }

    /// <summary>The call without its descriptor: the threads of a pool wait for a connection each.</summary>
    public static string? Kind(string? waits)
    {
        int cut = waits?.IndexOf(Descriptor, StringComparison.Ordinal) ?? -1;
        return cut > 0 ? waits![..cut] : waits;
    }
}
