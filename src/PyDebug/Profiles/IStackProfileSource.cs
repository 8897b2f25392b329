using System.Collections.Generic;

namespace PyDebug;

/// <summary>Something that stack profiles can be had from: a profile itself, or a report that holds several.</summary>
public interface IStackProfileSource
{
    /// <summary>The metrics that there are profiles of.</summary>
    /// <returns>Their names, the one that matters most first.</returns>
    public IReadOnlyList<string> GetStackProfileMetrics();

    /// <summary>The profiles of one metric.</summary>
    /// <param name="metric">The metric's name, such as <c>Cpu</c>; null for the one that matters most.</param>
    /// <returns>The profiles, none where the source has no such metric.</returns>
    public IReadOnlyList<StackProfile> GetStackProfiles(string? metric);
}
