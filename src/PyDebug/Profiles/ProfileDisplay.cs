using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using PyDebug.Profiles;

namespace PyDebug.Internal;

/// <summary>What the views of profiles call. Everything returned is safe to show.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class ProfileDisplay
{
    /// <summary>Where a profile was taken; objects from a file may not know.</summary>
    /// <param name="item">A profile.</param>
    /// <returns>The text as <c>namespace/pod/container</c>.</returns>
    public static string Place(PSObject item)
    {
        StackProfile profile = As(item);
        return profile.PodName.Length > 0 ? ProfileText.Where(profile with { ProcessId = null }) : "profile";
    }

    /// <summary>The recording's length.</summary>
    /// <param name="item">A profile.</param>
    /// <returns>Seconds, or nothing where they are not known.</returns>
    public static string Duration(PSObject item)
        => As(item).DurationSeconds is double seconds
            ? string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0}s")
            : "";

    /// <summary>The frame that most samples ended in.</summary>
    /// <param name="item">A profile.</param>
    /// <returns>Function, file and line.</returns>
    public static string Hottest(PSObject item) => Top(As(item)) is (string frame, _) ? frame : "";

    /// <summary>The hottest frame's part of the profile.</summary>
    /// <param name="item">A profile.</param>
    /// <returns>Per cent.</returns>
    public static string Share(PSObject item)
        => Top(As(item)) is (_, double share)
            ? string.Create(CultureInfo.InvariantCulture, $"{100 * share:0} %")
            : "";

    private static (string Frame, double Share)? Top(StackProfile profile)
    {
        Dictionary<string, double> sums = [];
        double total = 0;
        foreach (StackSample sample in profile.Samples.Where(s => s.Frames.Count > 0))
        {
            string frame = FrameText.One(sample.Frames[0]);
            sums[frame] = sums.GetValueOrDefault(frame) + sample.Value;
            total += sample.Value;
        }

        if (total <= 0)
        {
            return null;
        }

        KeyValuePair<string, double> hottest = sums.MaxBy(s => s.Value);
        return (SafeText.Line(hottest.Key, 56), hottest.Value / total);
    }

    private static StackProfile As(PSObject item)
        => RecordReader.As<StackProfile>(item);
}
