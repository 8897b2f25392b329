using System.Collections.Generic;

namespace PyDebug.Profiles;

/// <summary>One of several that only together make a profile.</summary>
internal interface IStackProfilePart : IStackProfileSource
{
    /// <summary>The profiles of all parts, of this one's type.</summary>
    public IReadOnlyList<StackProfile> Together(IEnumerable<IStackProfilePart> parts);
}
