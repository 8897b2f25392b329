using System;

namespace PyDebug.Engine;

/// <summary>How long a debug container lives; the keeper in it has the same numbers.</summary>
internal static class DebugContainerLife
{
    public static readonly TimeSpan Longest = TimeSpan.FromHours(12);

    public static readonly TimeSpan AfterLastUse = TimeSpan.FromMinutes(60);
}
