using System;
using System.ComponentModel;
using System.Globalization;
using System.Linq;
using System.Management.Automation;

namespace PyDebug.Internal;

/// <summary>What the view of <see cref="PyProcessSample"/> calls. Everything returned is safe to show.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class WatchDisplay
{
    /// <summary>The time of day at which an interval ended.</summary>
    /// <param name="item">A sample.</param>
    /// <returns>The local time as <c>14:03:27</c>.</returns>
    public static string Time(PSObject item)
        => Sample(item).Timestamp.ToLocalTime().ToString("HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>A part in per cent.</summary>
    /// <param name="value">The number; null is the empty string.</param>
    /// <returns>The text without a decimal place, below 10 with one.</returns>
    public static string Percent(object? value)
        => Number(value) is double number
            ? number.ToString(number < 9.95 ? "0.#" : "0", CultureInfo.InvariantCulture)
            : "";

    /// <summary>Seconds.</summary>
    /// <param name="value">The number; null is the empty string.</param>
    /// <returns>The text with two decimal places.</returns>
    public static string Seconds(object? value)
        => Number(value) is double number ? number.ToString("0.##", CultureInfo.InvariantCulture) : "";

    /// <summary>What else there is to say: a gap, when memory runs out, throttling, tasks, a longer interval.</summary>
    /// <param name="item">A sample.</param>
    /// <returns>One line.</returns>
    public static string Note(PSObject item)
    {
        PyProcessSample sample = Sample(item);
        if (sample.Gap is string gap)
        {
            string length = sample.GapSeconds is double seconds ? $" of {Seconds(seconds)} s" : "";
            return SafeText.Line($"gap{length}: {gap}", 200);
        }

        string?[] parts =
        [
            sample.SecondsToLimit is double left ? $"memory full in {Seconds(Math.Round(left))} s" : null,
            sample.ThrottledPercent is double share and > 0 ? $"throttled {Percent(share)} %" : null,
            sample.TaskCount is int tasks ? $"{tasks.ToString(CultureInfo.InvariantCulture)} tasks" : null,
            sample.Notes.FirstOrDefault(),
        ];
        return SafeText.Line(string.Join(", ", parts.Where(p => p is not null)), 200);
    }

    private static double? Number(object? value)
        => (value is PSObject wrapped ? wrapped.BaseObject : value) switch
        {
            null => null,
            IConvertible number => Convert.ToDouble(number, CultureInfo.InvariantCulture),
            _ => null,
        };

    private static PyProcessSample Sample(PSObject item)
        => RecordReader.As<PyProcessSample>(item);
}
