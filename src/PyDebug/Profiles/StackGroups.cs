using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace PyDebug.Internal;

/// <summary>What makes threads or tasks equal but for their number and name.</summary>
internal static class StackGroups
{
    /// <summary>From how many equal ones on a list of them is worth a hint.</summary>
    private const int ManyEqual = 20;

    private const string Descriptor = " fd ";

    /// <summary>Groups of equal ones, those that run first, then the most numerous.</summary>
    public static IReadOnlyList<TGroup> Of<T, TGroup>(
        IReadOnlyList<T> all,
        Func<T, string> key,
        Func<IReadOnlyList<T>, TGroup> make)
        where TGroup : IEqualOnes
        => [.. all.GroupBy(key).Select(g => make([.. g]))
            .OrderBy(g => g.State == "running" ? 0 : 1).ThenByDescending(g => g.Count)];

    /// <summary>The largest group, where there are so many equal ones that the summary is worth a hint.</summary>
    public static TGroup? Most<T, TGroup>(IReadOnlyList<T> all, Func<IReadOnlyList<T>, IReadOnlyList<TGroup>> group)
        where TGroup : class, IEqualOnes
        => all.Count > ManyEqual && group(all).MaxBy(g => g.Count) is { Count: > ManyEqual } most ? most : null;

    /// <summary>The hint at the summary.</summary>
    public static string Hint(IEqualOnes group, string what, string? waits)
    {
        IReadOnlyList<StackFrame> frames = group.Frames;
        string where = frames.Count > 0 ? $"at {FrameText.Innermost(frames)}" : "without frames";
        string why = string.IsNullOrEmpty(waits) ? "" : $", waiting for {SafeText.Line(waits, 40)}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{group.Count:#,0} {what} are equal ({where}{why}). -Summary writes equal ones as one record.");
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
