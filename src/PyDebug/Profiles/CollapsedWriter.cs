using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>
/// Writes collapsed stacks, which other programs split at every semicolon: one within a name becomes a colon, so that
/// a stack has the same number of frames for every reader.
/// </summary>
internal static class CollapsedWriter
{
    /// <summary>What stands for a stack without frames.</summary>
    public const string NoFrames = "(no frames)";

    /// <summary>Samples are of equal length if none is further from their mean than that part of it.</summary>
    private const double Even = 0.01;

    /// <summary>Writes profiles; several get a frame for their process.</summary>
    /// <returns>What could not be written as it was.</returns>
    public static CollapsedNotes Write(TextWriter output, IReadOnlyList<StackProfile> profiles)
    {
        Dictionary<StackFrame, string> names = [];
        CollapsedNotes notes = new();
        bool timed = profiles.Any(IsUneven);
        notes.HasMicroseconds = timed;
        foreach (StackProfile profile in profiles)
        {
            string process = profiles.Count > 1 ? Clean(ProfileText.Where(profile)) + ";" : "";
            foreach (IGrouping<string, StackSample> stack in profile.Samples.GroupBy(s => Path(s, names, notes)))
            {
                output.Write(process);
                output.Write(stack.Key.Length == 0 ? NoFrames : stack.Key);
                output.Write(' ');
                output.Write(Number(profile, [.. stack], timed, notes));
                output.Write('\n');
            }
        }

        if (profiles.All(p => p.Samples.Count == 0))
        {
            output.Write("# no samples\n");
        }

        return notes;
    }

    /// <summary>
    /// Readers want whole numbers: samples where values are seconds and each sample stands for as many; else
    /// microseconds.
    /// </summary>
    private static string Number(StackProfile profile, StackSample[] stack, bool timed, CollapsedNotes notes)
    {
        double value = stack.Sum(s => s.Value);
        if (profile.Unit == "seconds")
        {
            return timed
                ? Math.Round(value * 1e6).ToString("F0", CultureInfo.InvariantCulture)
                : Counts.Sum(stack.Select(s => s.Count)).ToString(CultureInfo.InvariantCulture);
        }

        // What a double does not hold to the last digit the count may.
        long count = Counts.Sum(stack.Select(s => s.Count));
        if (count == value)
        {
            return count.ToString(CultureInfo.InvariantCulture);
        }

        if (value == Math.Floor(value))
        {
            return value.ToString("F0", CultureInfo.InvariantCulture);
        }

        notes.Decimals++;
        return value.ToString("0.#########", CultureInfo.InvariantCulture);
    }

    /// <summary>
    /// Whether samples of a profile of time stand for different times, as they do where events are timed.
    /// </summary>
    private static bool IsUneven(StackProfile profile)
    {
        double count = profile.Samples.Sum(s => (double)s.Count);
        if (profile.Unit != "seconds" || profile.SampleRate is not null || count == 0)
        {
            return false;
        }

        double mean = profile.Samples.Sum(s => s.Value) / count;
        return profile.Samples.Any(s => Math.Abs(s.Value - (s.Count * mean)) > Even * s.Count * mean);
    }

    private static string Path(StackSample sample, Dictionary<StackFrame, string> names, CollapsedNotes notes)
    {
        StackFrame? end = SampleState.Of(sample).Frame();
        StackFrame[] frames = [.. sample.Frames.Reverse(), .. end is null ? [] : new[] { end }];
        string[] path = new string[frames.Length];
        for (int i = 0; i < frames.Length; i++)
        {
            StackFrame frame = frames[i];
            if (!names.TryGetValue(frame, out string? name))
            {
                string text = Text(frame);
                name = Clean(text);
                notes.ChangedNames += name == text ? 0 : 1;
                names.Add(frame, name);
            }

            path[i] = name;
        }

        return string.Join(';', path);
    }

    private static string Text(StackFrame frame)
    {
        string name = frame.Name.Length == 0 ? "?" : frame.Name;
        string line = frame.Line is int number ? string.Create(CultureInfo.InvariantCulture, $":{number}") : "";
        return frame.FileName.Length == 0 ? name : $"{name} ({frame.FileName}{line})";
    }

    private static string Clean(string text) => SafeText.Line(text).Replace(';', ':');
}
