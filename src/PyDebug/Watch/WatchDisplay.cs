using System;
using System.Globalization;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>What the view of <see cref="PyProcessSample"/> has its cells from.</summary>
internal static class WatchDisplay
{
    /// <summary>The local time of day at which an interval ended, as <c>14:03:27</c>.</summary>
    public static string Time(PyProcessSample sample)
        => sample.Timestamp.ToLocalTime().ToString("HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>A part in per cent without a decimal place, below 10 with one.</summary>
    public static string Percent(double? share) => Amounts.Number(share, share < 9.95 ? "0.#" : "0");

    /// <summary>Seconds with two decimal places.</summary>
    public static string Seconds(double? seconds) => Amounts.Number(seconds, "0.##");

    /// <summary>
    /// What else there is to say: a gap, when memory runs out, throttling, tasks, a longer interval.
    /// </summary>
    public static string Note(PyProcessSample sample)
    {
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
}
