using System;
using System.Collections.Generic;
using System.Linq;
using PyDebug.Profiles;

namespace PyDebug.Internal;

/// <summary>What the views of profiles have their cells from.</summary>
internal static class ProfileDisplay
{
    /// <summary>Where a profile was taken; one from a file may not know.</summary>
    public static string Heading(StackProfile profile)
        => profile.PodName.Length > 0 ? ProfileText.Where(profile with { ProcessId = null }) : "profile";

    /// <summary>The frame that most samples ended in: function, file and line.</summary>
    public static string Hottest(StackProfile profile) => Top(profile) is (string frame, _) ? frame : "";

    /// <summary>The hottest frame's part of the profile, in per cent.</summary>
    public static string Share(StackProfile profile)
        => Top(profile) is (_, double share) ? Amounts.Number(100 * share, "0 '%'") : "";

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
}
