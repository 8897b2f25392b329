using System;
using System.Globalization;
using System.Linq;
using PyDebug.Internal;

namespace PyDebug.Tools.PySpy;

/// <summary>
/// Holds py-spy's samples against what the kernel counted. py-spy takes a thread for running that its own stop has just
/// woken: on a busy node those that wait are then counted as busy, and nothing in its output shows it.
/// </summary>
internal static class PySpyPlausibility
{
    /// <summary>What py-spy and the kernel may be apart by, as a part and in seconds.</summary>
    private const double Part = 0.25;

    private const double Seconds = 0.15;

    /// <summary>Standard errors of a count of samples that are still chance.</summary>
    private const double Chance = 3;

    /// <summary>How far a profile of CPU time cannot be right; null where it may be.</summary>
    public static string? Check(StackProfile profile, double rate)
    {
        if (profile.Metric != "Cpu" || profile.CpuSeconds is not double counted || !(rate > 0))
        {
            return null;
        }

        double sampled = profile.SampleCount / rate;
        ProfileThread? worst = profile.Threads
            .Where(t => t.CpuSeconds is double cpu && IsTooMuch(t.SampleCount / rate, cpu, rate))
            .MaxBy(t => (t.SampleCount / rate) - t.CpuSeconds);
        bool whole = IsTooMuch(sampled, counted, rate);
        if (!whole && worst is null)
        {
            return null;
        }

        string all = Text($"py-spy counts {sampled:0.##} s of CPU, and the kernel counted {counted:0.##} s");
        if (whole && counted > 0)
        {
            all += Text($" ({sampled / counted:0.#} times as much)");
        }

        string thread = worst is null
            ? ""
            : Text(
                $"; {ThreadText.One(worst.ThreadId, worst.Name)} has {worst.SampleCount / rate:0.##} s of it and used ")
                + Text($"{worst.CpuSeconds:0.##} s");
        return $"{all}{thread}. What it took for running was waiting: its shares are not to be trusted. Measure-PyTime "
            + "has the kernel's times.";
    }

    private static bool IsTooMuch(double sampled, double counted, double rate)
        => sampled > (counted * (1 + Part)) + Seconds + (Chance * Math.Sqrt(Math.Max(counted, 1 / rate) / rate));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
