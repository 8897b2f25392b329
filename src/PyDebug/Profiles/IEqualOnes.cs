using System.Collections.Generic;

namespace PyDebug.Internal;

/// <summary>Threads or tasks that are the same but for their number and name, as one record.</summary>
internal interface IEqualOnes
{
    /// <summary>How many there are.</summary>
    public long Count { get; }

    /// <summary>What they do.</summary>
    public string State { get; }

    /// <summary>Where they are, innermost first.</summary>
    public IReadOnlyList<StackFrame> Frames { get; }
}
