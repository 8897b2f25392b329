using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using PyDebug.Engine;
using PyDebug.Internal;
using PyDebug.Profiles;

namespace PyDebug.Tools.PySpy;

/// <summary>
/// Makes a profile of a recording: the samples from its speedscope file, what they are worth from the run.
/// </summary>
internal static class PySpyProfile
{
    /// <summary>Below this share of the samples of one busy thread a process was idle.</summary>
    private const double IdleShare = 0.05;

    /// <summary>The profile of one process.</summary>
    /// <exception cref="InvalidDataException">It is not a speedscope file.</exception>
    public static StackProfile Parse(
        Stream speedscope,
        PySpyResult result,
        PodDebugSession session,
        PySpyOptions options,
        DateTime now)
    {
        StackProfile about = new()
        {
            Namespace = session.Namespace,
            PodName = session.PodName,
            ContainerName = session.ContainerName,
            NodeName = session.NodeName,
            ProcessId = result.ProcessId,
            Timestamp = now,
            CommandLine = result.CommandLine,
            PythonVersion = result.PythonVersion,
            Tool = $"py-spy {result.Version}".TrimEnd(),
            Metric = options.Metric,
            Unit = "seconds",
            DurationSeconds = result.Seconds,
            SampleRate = result.Rate,
            ErrorCount = result.ErrorCount ?? 0,
            StopsProcess = !options.NonBlocking,
        };
        IReadOnlyList<StackProfile> profiles = SpeedscopeReader.Read(speedscope, about);
        StackProfile profile = profiles.Count switch
        {
            0 => about,
            1 => profiles[0] with { ProcessId = result.ProcessId, Tool = about.Tool },
            _ => throw new InvalidDataException($"It holds {profiles.Count} processes instead of one."),
        };
        profile = ProfileTrim.WithoutLast(profile, result.DoubtfulSamples);
        profile = profile with
        {
            CpuSeconds = result.CpuSeconds,
            Threads =
            [
                .. profile.Threads.Select(
                    t => t.ThreadId is long id && result.CpuByThread.TryGetValue(id, out double cpu)
                    ? t with { CpuSeconds = cpu }
                    : t),
            ],
        };
        return profile with { Warnings = [.. Warnings(profile, result, options).Select(w => w.Text)] };
    }

    /// <summary>What is wrong with a profile.</summary>
    public static IReadOnlyList<PySpyWarning> Warnings(StackProfile profile, PySpyResult result, PySpyOptions options)
    {
        List<PySpyWarning> warnings = [];
        string process = string.Create(CultureInfo.InvariantCulture, $"Process {result.ProcessId}");
        if (result.TargetExited)
        {
            warnings.Add(new(
                $"{process} ended while it was recorded: the profile is what was seen until then.",
                AgentWarning.ProcessExited));
        }

        if (result.Rate is int rate && rate < options.SampleRate)
        {
            warnings.Add(new(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{process} has many threads: it was sampled {rate} instead of "
                        + $"{options.SampleRate} times a second."),
                AgentWarning.ManyThreads));
        }

        if (result.Behind is double behind)
        {
            warnings.Add(new(string.Create(
                CultureInfo.InvariantCulture,
                $"py-spy was {behind:0.##} s behind with {process.ToLowerInvariant()}: the shares may be off. A lower "
                + $"-SampleRate helps.")));
        }

        if (result.TargetReplaced)
        {
            warnings.Add(new(
                $"{process} became another program while it was recorded: the profile is what was seen until then.",
                AgentWarning.ProcessReplaced));
        }

        if (result.ErrorCount is long errors and > 0)
        {
            string share = result.SampleCount is long good and > 0
                ? $" ({ProfileText.Share(errors, errors + (double)good)})" : "";
            string words = result.Messages.Count > 0 ? $": {result.Messages[0].TrimEnd('.')}" : "";
            warnings.Add(new(Counts.Of(errors, "sample", "samples")
                + $"{share} of {process.ToLowerInvariant()} failed and "
                + $"{(errors == 1 ? "is" : "are")} missing{words}."));
        }

        double expected = result.Seconds * (result.Rate ?? options.SampleRate);
        if (!options.IncludeIdle && !result.TargetExited && !result.TargetReplaced
            && profile.SampleCount < IdleShare * expected)
        {
            warnings.Add(new(Idle(process, profile.SampleCount, options)));
        }

        if (PySpyPlausibility.Check(profile, result.Rate ?? options.SampleRate) is string wrong)
        {
            warnings.Add(new($"{process}: {wrong}"));
        }

        if (options.NonBlocking)
        {
            warnings.Add(new(
                $"{process} was read while it ran: stacks in it may never have existed (-NonBlocking).", IsTold: true));
        }

        return warnings;
    }

    /// <summary>That a process was hardly seen, and what shows it.</summary>
    public static string Idle(string process, long samples, PySpyOptions options)
    {
        string times = samples == 1 ? "once" : string.Create(CultureInfo.InvariantCulture, $"{samples} times");
        string was = options.GilOnly ? "seen with the GIL" : "sampled";
        string seen = samples == 0 ? $"{process} was never {was}" : $"{process} was {was} {times}";
        return options.GilOnly
            ? $"{seen}: it hardly ran Python code."
            : $"{seen}: it was idle. -IncludeIdle shows where it waits.";
    }
}
