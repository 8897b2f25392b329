using System;
using System.ComponentModel;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;

namespace PyDebug.Internal;

/// <summary>
/// What the views of PyDebug.Format.ps1xml call. Everything returned is safe to show. Objects made again from CLIXML
/// or JSON are shown like live ones.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class Display
{
    private const int HeadingLength = 117;

    private const int ShortestCommand = 12;

    /// <summary>A text on one line without control characters.</summary>
    /// <param name="value">Any value; null is the empty string.</param>
    /// <returns>The text.</returns>
    public static string Safe(object? value) => SafeText.Line(Plain(value)?.ToString());

    /// <summary>A text on one line without control characters, cut to a length.</summary>
    /// <param name="value">Any value; null is the empty string.</param>
    /// <param name="length">The most characters.</param>
    /// <returns>The text.</returns>
    public static string Safe(object? value, int length) => SafeText.Line(Plain(value)?.ToString(), length);

    /// <summary>A name on one line, cut in the middle: most end in a number that tells them apart.</summary>
    /// <param name="value">Any value; null is the empty string.</param>
    /// <param name="length">The most characters.</param>
    /// <returns>The text.</returns>
    public static string Middle(object? value, int length)
        => ShortNames.Middle(SafeText.Line(Plain(value)?.ToString()), length);

    /// <summary>A name, cut in the middle to what a table has room for.</summary>
    /// <param name="value">Any value; null is the empty string.</param>
    /// <param name="least">The most cells in a table of 80 columns.</param>
    /// <param name="most">The most cells where the window has the room.</param>
    /// <param name="host">What the table is shown on.</param>
    /// <param name="columns">How many of its columns share the room beyond 80.</param>
    /// <returns>The text.</returns>
    public static string Fit(object? value, int least, int most, PSHost? host, int columns = 1)
        => Middle(value, Math.Min(most, least + (ViewWidth.Beyond(host) / columns)));

    /// <summary>A session's pod and container, cut in the middle to what the table has room for.</summary>
    /// <param name="item">A session.</param>
    /// <param name="host">What the table is shown on.</param>
    /// <returns>The text as <c>pod/container</c>.</returns>
    public static string PodContainer(PSObject item, PSHost? host)
        => Fit($"{Get(item, "PodName")}/{Get(item, "ContainerName")}".TrimEnd('/'), 24, 80, host);

    /// <summary>A process's Python: the version, behind the name of what is not CPython.</summary>
    /// <param name="item">A process.</param>
    /// <returns>The text such as <c>3.13.5</c>.</returns>
    public static string Python(PSObject item)
    {
        string name = Safe(Get(item, "Implementation"));
        return Safe($"{(name == "CPython" ? "" : name)} {Safe(Get(item, "PythonVersion"))}".Trim(), 9);
    }

    /// <summary>The pod and container of a record.</summary>
    /// <param name="item">A record that has both.</param>
    /// <returns>The text as <c>namespace/pod/container</c>.</returns>
    public static string Pod(PSObject item)
        => Safe($"{Get(item, "Namespace")}/{Get(item, "PodName")}/{Get(item, "ContainerName")}");

    /// <summary>CPU time.</summary>
    /// <param name="seconds">Seconds, or null.</param>
    /// <returns>The time, such as 41.8s.</returns>
    public static string Cpu(object? seconds)
    {
        if (Number(seconds) is not double time)
        {
            return "";
        }

        return time switch
        {
            < 1000 => Format($"{time:0.0}s"),
            < 36_000 => Format($"{time / 60:0}m"),
            _ => Format($"{time / 3600:0}h"),
        };
    }

    /// <summary>How long ago a time is.</summary>
    /// <param name="time">A time in UTC, or null.</param>
    /// <returns>The age in kubectl's manner, such as 5m.</returns>
    public static string Age(object? time)
    {
        if (Plain(time) is not DateTime start)
        {
            return "";
        }

        double seconds = Math.Max(0, (DateTime.UtcNow - start.ToUniversalTime()).TotalSeconds);
        return seconds switch
        {
            < 10 => Format($"{seconds:0.0}s"),
            < 120 => Format($"{seconds:0}s"),
            < 7200 => Format($"{seconds / 60:0}m"),
            < 172_800 => Format($"{seconds / 3600:0}h"),
            _ => Format($"{seconds / 86_400:0}d"),
        };
    }

    /// <summary>A session's state; where it ended because its target did at a limit, that.</summary>
    /// <param name="item">A session.</param>
    /// <returns>The state, or the reason and how often the target was started again: <c>OOMKilled x2</c>.</returns>
    public static string State(PSObject item)
    {
        string state = Safe(Get(item, "State"), 10);
        string reason = Safe(Get(item, "TargetLastEndReason"), 12);
        if (state != "Terminated"
            || reason != "OOMKilled"
            || Get(item, "TargetLastEnded") is not DateTime ended
            || Get(item, "Started") is not DateTime started
            || ended.ToUniversalTime() < started.ToUniversalTime())
        {
            return state;
        }

        return Number(Get(item, "TargetRestartCount")) is double count && count > 0
            ? reason + Format($" x{count:0}")
            : reason;
    }

    /// <summary>An amount of memory.</summary>
    /// <param name="bytes">Bytes, or null.</param>
    /// <returns>The amount in Kubernetes' units, such as 61Mi.</returns>
    public static string Memory(object? bytes) => Number(bytes) switch
    {
        null => "",
        double size and < 10 * 1024 * 1024 => Format($"{size / (1024 * 1024):0.0}Mi"),
        double size and < 10_000.0 * 1024 * 1024 => Format($"{size / (1024 * 1024):0}Mi"),
        double size => Format($"{size / (1024 * 1024 * 1024):0.0}Gi"),
    };

    /// <summary>The heading above what is of one process.</summary>
    internal static string ProcessHeading(PSObject item, int processId, string? command, string? version, string end)
    {
        string start = $"{Pod(item)}  process {processId}";
        string python = string.IsNullOrEmpty(version) ? "" : $"  CPython {SafeText.Line(version, 20)}";
        int room = HeadingLength - start.Length - python.Length - end.Length - 2;
        string line = SafeText.Line(command, Math.Max(room, ShortestCommand));
        return start + (line.Length == 0 ? "" : $"  {line}") + python + end;
    }

    /// <summary>A short time.</summary>
    internal static string Microseconds(double time)
        => time < 1000 ? Format($"{time:0} us") : Format($"{time / 1000:0.0} ms");

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static object? Get(PSObject item, string name) => Plain(item.Properties[name]?.Value);

    private static object? Plain(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;

    private static double? Number(object? value)
        => Plain(value) is IConvertible number and not string
            ? Convert.ToDouble(number, CultureInfo.InvariantCulture)
            : null;
}
