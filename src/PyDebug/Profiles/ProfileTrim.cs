using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Profiles;

/// <summary>Takes the last samples of each thread away, where they may be of something else.</summary>
internal static class ProfileTrim
{
    /// <summary>
    /// The profile without the last so many samples of each thread; itself where their order is not known.
    /// </summary>
    public static StackProfile WithoutLast(StackProfile profile, long samples)
    {
        if (samples <= 0 || profile.Timeline is not IReadOnlyList<SampleRun> runs)
        {
            return profile;
        }

        FrameNumbers frames = new();
        ProfileBuilder builder = new(frames.Frames);
        foreach (IGrouping<(long? Id, string? Name), SampleRun> thread in runs.GroupBy(r => Key(profile, r)))
        {
            long left = Internal.Counts.Sum(thread.Select(r => r.Count)) - samples;
            foreach (SampleRun run in thread.TakeWhile(_ => left > 0))
            {
                // Samples of a stretch are of equal length.
                long count = System.Math.Min(left, run.Count);
                StackSample sample = profile.Samples[run.Sample];
                builder.Add(
                    builder.Thread(thread.Key.Id, thread.Key.Name),
                    frames.Stack(sample.Frames),
                    run.Value * count / System.Math.Max(1, run.Count),
                    count,
                    SampleState.Of(sample));
                left -= count;
            }
        }

        return builder.Build(profile);
    }

    private static (long? Id, string? Name) Key(StackProfile profile, SampleRun run)
        => (profile.Samples[run.Sample].ThreadId, profile.Samples[run.Sample].Thread);
}
