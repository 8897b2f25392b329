using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using PyDebug.Profiles;

namespace PyDebug.Tools.PySpy;

/// <summary>Makes a profile of a recording: the samples from its speedscope file, what they are worth from the run.</summary>
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
        return profile with { Warnings = Warnings(profile, result, options) };
    }

    private static List<string> Warnings(StackProfile profile, PySpyResult result, PySpyOptions options)
    {
        List<string> warnings = [];
        string process = string.Create(CultureInfo.InvariantCulture, $"Process {result.ProcessId}");
        if (result.TargetExited)
        {
            warnings.Add($"{process} ended while it was recorded: the profile is what was seen until then.");
        }

        if (result.Rate is int rate && rate < options.SampleRate)
        {
            warnings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{process} has many threads: it was sampled {rate} instead of {options.SampleRate} times a second."));
        }

        if (result.Behind is double behind)
        {
            warnings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"py-spy was {behind:0.##} s behind with {process.ToLowerInvariant()}: the shares may be off. A lower "
                + $"-SampleRate helps."));
        }

        if (result.ErrorCount is long errors and > 0)
        {
            warnings.Add(string.Create(
                CultureInfo.InvariantCulture, $"{errors} samples of {process.ToLowerInvariant()} failed and are missing."));
        }

        double expected = result.Seconds * (result.Rate ?? options.SampleRate);
        if (!options.IncludeIdle && !result.TargetExited && profile.SampleCount < IdleShare * expected)
        {
            warnings.Add(Idle(process, profile.SampleCount, options));
        }

        if (options.NonBlocking)
        {
            warnings.Add($"{process} was read while it ran: stacks in it may never have existed (-NonBlocking).");
        }

        return warnings;
    }

    private static string Idle(string process, long samples, PySpyOptions options)
    {
        string times = samples switch
        {
            0 => "never",
            1 => "once",
            _ => string.Create(CultureInfo.InvariantCulture, $"{samples} times"),
        };
        return options.GilOnly
            ? $"{process} was seen with the GIL {times}: it hardly ran Python code."
            : $"{process} was sampled {times}: it was idle. -IncludeIdle shows where it waits.";
    }
}
