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
    /// <summary>Writes profiles; several get a frame for their process.</summary>
    /// <returns>How many frames were written under a changed name.</returns>
    public static int Write(TextWriter output, IReadOnlyList<StackProfile> profiles)
    {
        Dictionary<StackFrame, string> names = [];
        int changed = 0;
        foreach (StackProfile profile in profiles)
        {
            string process = profiles.Count > 1 ? Clean(ProfileText.Where(profile)) + ";" : "";
            foreach (IGrouping<string, StackSample> stack in profile.Samples.GroupBy(s => Path(s, names, ref changed)))
            {
                double value = stack.Sum(s => s.Value);
                output.Write(process);
                output.Write(stack.Key.Length == 0 ? "(no frames)" : stack.Key);
                output.Write(string.Create(CultureInfo.InvariantCulture, $" {Count(profile, stack, value)}\n"));
            }
        }

        return changed;
    }

    /// <summary>Readers want whole numbers: samples where values are seconds.</summary>
    private static double Count(StackProfile profile, IEnumerable<StackSample> stack, double value)
        => profile.Unit == "seconds" ? stack.Sum(s => s.Count) : Math.Round(value);

    private static string Path(StackSample sample, Dictionary<StackFrame, string> names, ref int changed)
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
                changed += name == text ? 0 : 1;
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
