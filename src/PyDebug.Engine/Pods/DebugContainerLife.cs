using System;

namespace PyDebug.Engine;

/// <summary>How long a debug container lives; the keeper in it has the same numbers.</summary>
internal static class DebugContainerLife
{
    public static readonly TimeSpan Longest = TimeSpan.FromHours(12);

    public static readonly TimeSpan AfterLastUse = TimeSpan.FromMinutes(60);

    /// <summary>The same for one that could take over its node.</summary>
    public static readonly TimeSpan AfterLastUsePrivileged = TimeSpan.FromMinutes(10);
}
