using System.Collections.Generic;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>What collapsed stacks could not hold as it was.</summary>
internal sealed class CollapsedNotes
{
    /// <summary>How many frames were written under a changed name.</summary>
    public int ChangedNames { get; set; }

    /// <summary>How many stacks have numbers that are not whole.</summary>
    public int Decimals { get; set; }

    /// <summary>Whether seconds were written as microseconds.</summary>
    public bool HasMicroseconds { get; set; }

    /// <summary>The notes in words.</summary>
    public IEnumerable<string> Warnings()
    {
        if (ChangedNames > 0)
        {
            yield return Counts.Of(ChangedNames, "frame has a name", "frames have names")
                + " that the collapsed format cannot hold: ';' was written as ':', what has no letter as a picture or "
                + "an escape.";
        }

        if (Decimals > 0)
        {
            yield return Counts.Of(Decimals, "stack has a number that is", "stacks have numbers that are")
                + " not whole; some programs read whole numbers only.";
        }

        if (HasMicroseconds)
        {
            yield return "The stacks' samples are not of equal length: the numbers are microseconds.";
        }
    }
}
