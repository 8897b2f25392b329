using System;
using System.Collections.Generic;
using System.Linq;
using static System.FormattableString;

namespace PyDebug.Internal;

/// <summary>What several of the views (views.txt) have their cells from. A record's text is safe already.</summary>
internal static class Display
{
    private const int HeadingLength = 117;

    private const int ShortestCommand = 12;

    /// <summary>A text cut to a length.</summary>
    public static string Safe(string? text, int length) => SafeText.Line(text, length);

    /// <summary>A name cut in the middle: most end in a number that tells them apart.</summary>
    public static string Middle(string? name, int length) => ShortNames.Middle(SafeText.Line(name), length);

    /// <summary>A name, cut in the middle to what a table has room for.</summary>
    /// <param name="name">The name; null is the empty string.</param>
    /// <param name="least">The most cells in a table of 80 columns.</param>
    /// <param name="most">The most cells where the window is wide enough.</param>
    /// <param name="columns">How many of its columns share what the window has beyond 80.</param>
    public static string Fit(string? name, int least, int most, int columns = 1)
        => Middle(name, Math.Min(most, least + (ViewWidth.Beyond() / columns)));

    /// <summary>Each item on a line of its own.</summary>
    public static string Lines<T>(IReadOnlyList<T>? items)
        where T : notnull
        => string.Join('\n', Texts(items));

    /// <summary>The items on one line.</summary>
    public static string Words<T>(IReadOnlyList<T>? items)
        where T : notnull
        => string.Join(", ", Texts(items));

    /// <summary>A process's Python: the version, behind the name of what is not CPython.</summary>
    public static string Python(PyProcess process)
    {
        string? name = process.Implementation == "CPython" ? "" : process.Implementation;
        return Safe($"{name} {process.PythonVersion}".Trim(), 9);
    }

    /// <summary>The pod and container of a record, as <c>namespace/pod/container</c>.</summary>
    public static string Pod(IOfPod record)
        => SafeText.Line($"{record.Namespace}/{record.PodName}/{record.ContainerName}");

    /// <summary>
    /// A session's state; where it ended because its target did at a limit, the reason and how often the target was
    /// started again: <c>OOMKilled x2</c>.
    /// </summary>
    public static string State(PodDebugSession session)
    {
        string reason = Safe(session.TargetLastEndReason, 12);
        if (session.State != "Terminated"
            || reason != "OOMKilled"
            || session.TargetLastEnded is not DateTime ended
            || session.Started is not DateTime started
            || ended.ToUniversalTime() < started.ToUniversalTime())
        {
            return Safe(session.State, 10);
        }

        return session.TargetRestartCount > 0 ? reason + Invariant($" x{session.TargetRestartCount}") : reason;
    }

    /// <summary>The heading above what is of one process.</summary>
    public static string ProcessHeading(IOfPod item, int processId, string? command, string? version, string end)
    {
        string start = $"{Pod(item)}  process {processId}";
        string python = string.IsNullOrEmpty(version) ? "" : $"  CPython {SafeText.Line(version, 20)}";
        int left = HeadingLength - start.Length - python.Length - end.Length - 2;
        string line = SafeText.Line(command, Math.Max(left, ShortestCommand));
        return start + (line.Length == 0 ? "" : $"  {line}") + python + end;
    }


    private static IEnumerable<string> Texts<T>(IReadOnlyList<T>? items)
        where T : notnull
        => (items ?? []).Select(item => SafeText.Line(item.ToString()));
}
