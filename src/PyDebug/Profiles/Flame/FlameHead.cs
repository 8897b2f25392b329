using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using PyDebug.Internal;

namespace PyDebug.Profiles.Flame;

/// <summary>What a picture says above its frames: of what, when, how long, and on how many samples it rests.</summary>
internal sealed record FlameHead(string Title, string About, string Root, string Metric, string Unit)
{
    private const string Dot = " \u00b7 ";

    /// <summary>What the colours mean: the first letter of a colour's class, and whose code has it.</summary>
    public static IReadOnlyList<(string Kind, string Text)> Legend { get; } =
        [("a", "application"), ("l", "libraries"), ("p", "Python itself"), ("n", "native code")];

    /// <summary>What the colours of the stacks' ends mean: their classes, and how the time was spent.</summary>
    public static IReadOnlyList<(string Kind, string Text)> Ends { get; } =
    [
        ("rcpu", "on a CPU"), ("rgil", "waits for the GIL"), ("rlock", "lock"), ("rsleep", "sleep"), ("rpoll", "poll"),
        ("rio", "I/O"), ("rready", "waits for a CPU"), ("rother", "other"), ("runproven", "unproven"),
    ];

    /// <summary>The head of a picture of profiles.</summary>
    public static FlameHead Of(IReadOnlyList<StackProfile> profiles)
    {
        StackProfile first = profiles[0];
        double total = profiles.Sum(p => p.Samples.Sum(s => s.Value));
        string value = ProfileText.Value(total, first.Unit);
        return new FlameHead(
            TitleOf(profiles),
            AboutOf(profiles),
            profiles.Count == 1 ? $"all threads: {value}" : $"all processes: {value}",
            first.Metric,
            first.Unit);
    }

    private static string TitleOf(IReadOnlyList<StackProfile> profiles)
    {
        if (profiles.Count == 1)
        {
            StackProfile profile = profiles[0];
            string command = string.IsNullOrEmpty(profile.CommandLine) ? ""
                : Dot + SafeText.Line(profile.CommandLine, 200);
            return ProfileText.Where(profile) + command;
        }

        string[] pods = [.. profiles.Select(p => $"{p.Namespace}/{p.PodName}/{p.ContainerName}").Distinct()];
        string place = pods.Length == 1 && profiles[0].PodName.Length > 0
            ? ProfileText.Where(profiles[0] with { ProcessId = null }) + Dot
            : pods.Length > 1 ? string.Create(CultureInfo.InvariantCulture, $"{pods.Length} containers{Dot}") : "";
        return string.Create(CultureInfo.InvariantCulture, $"{place}{profiles.Count} processes");
    }

    private static string AboutOf(IReadOnlyList<StackProfile> profiles)
    {
        List<string> parts = [ProfileText.MetricName(profiles[0].Metric)];
        if (profiles.Max(p => p.DurationSeconds) is double duration)
        {
            string rate = profiles.Select(p => p.SampleRate).Distinct().ToArray() is [double hertz]
                ? string.Create(CultureInfo.InvariantCulture, $" at {hertz:0.#} Hz")
                : "";
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{duration:0.0} s{rate}"));
        }

        parts.Add(ProfileText.Counted(profiles.Sum(p => p.SampleCount), profiles[0].Unit));
        if (profiles.Sum(p => p.ErrorCount) is long errors and > 0)
        {
            parts.Add(Counts.Of(errors, "error", "errors"));
        }

        if (profiles.Max(p => p.Timestamp) is DateTime time)
        {
            parts.Add(time.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture));
        }

        Add(parts, profiles.Select(p => p.Tool));
        Add(parts, profiles.Select(p => p.PythonVersion is null ? null : $"Python {p.PythonVersion}"));
        return string.Join(Dot, parts);
    }

    private static void Add(List<string> parts, IEnumerable<string?> texts)
        => parts.AddRange(texts.OfType<string>().Distinct().Take(3).Select(t => SafeText.Line(t, 60)));
}
