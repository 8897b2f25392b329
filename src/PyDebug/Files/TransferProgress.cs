using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;

namespace PyDebug.Commands;

/// <summary>Shows how far a transfer is: the bytes, the rate of the last seconds, and the time that is left.</summary>
internal sealed class TransferProgress(Action<string, int> show)
{
    private const double Mebibyte = 1 << 20;

    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(0.5);

    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(10);

    private readonly Stopwatch _clock = Stopwatch.StartNew();

    private readonly Queue<(TimeSpan At, long Moved)> _seen = new();

    private TimeSpan _shown = TimeSpan.FromSeconds(-1);

    /// <summary>All that is to come, in bytes; 0 while that is not known.</summary>
    public long Total { get; set; }

    /// <summary>Notes how much was moved, and shows it now and then.</summary>
    /// <param name="moved">The bytes in all.</param>
    /// <param name="name">The file that is at it.</param>
    public void Note(long moved, string name)
    {
        TimeSpan now = _clock.Elapsed;
        if (now - _shown < s_every)
        {
            return;
        }

        _shown = now;
        _seen.Enqueue((now, moved));
        while (now - _seen.Peek().At > s_window)
        {
            _seen.Dequeue();
        }

        (TimeSpan since, long before) = _seen.Peek();
        double seconds = (now - since).TotalSeconds;
        show(Text(name, moved, Total, seconds > 0 ? (moved - before) / seconds : 0), Percent(moved, Total));
    }

    /// <summary>What the progress bar says.</summary>
    internal static string Text(string name, long moved, long total, double rate)
    {
        string text = string.Create(
            CultureInfo.InvariantCulture, $"{name}: {moved / Mebibyte:#,0.0} of {total / Mebibyte:#,0.0} MiB");
        if (rate <= 0)
        {
            return text;
        }

        double left = Math.Clamp((total - moved) / rate, 0, TimeSpan.FromDays(99).TotalSeconds);
        return text + string.Create(
            CultureInfo.InvariantCulture,
            $", {rate / Mebibyte:#,0.0} MiB/s, {TimeSpan.FromSeconds(Math.Ceiling(left)):g} left");
    }

    private static int Percent(long moved, long total)
        => total > 0 ? (int)Math.Clamp(100.0 * moved / total, 0, 100) : -1;
}
