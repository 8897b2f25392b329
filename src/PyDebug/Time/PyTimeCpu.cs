using System.Collections.Generic;
using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>The time that one thread spent on a CPU with one stack.</summary>
public sealed partial record PyTimeCpu : IOfPod
{
    internal PyTimeCpu()
    {
    }

    /// <summary>The pod's namespace.</summary>
    public string Namespace { get; internal init; } = "";

    /// <summary>The pod's name.</summary>
    public string PodName { get; internal init; } = "";

    /// <summary>The application's container.</summary>
    public string ContainerName { get; internal init; } = "";

    /// <summary>The process in the container's PID namespace.</summary>
    public int ProcessId { get; internal init; }

    /// <summary>The thread's native id in the container's PID namespace.</summary>
    public long ThreadId { get; internal init; }

    /// <summary>The thread's name, where it has one.</summary>
    public string? Thread { get; internal init; }

    /// <summary>The time, in seconds: the thread's exact CPU time, shared out by its samples.</summary>
    public double Seconds { get; internal init; }

    /// <summary>The sampling error of <see cref="Seconds"/> (one standard error), in seconds.</summary>
    public double? StandardErrorSeconds { get; internal init; }

    /// <summary>How many samples this rests on.</summary>
    public long SampleCount { get; internal init; }

    /// <summary>In how many of the samples the thread held the GIL; null where that is not known.</summary>
    public long? WithGilCount { get; internal init; }

    /// <summary>The frames, innermost first; none where no sample was taken of the time.</summary>
    public IReadOnlyList<StackFrame> Frames { get; internal init; } = [];

    /// <summary>The time and the frames, from the innermost outwards.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{Seconds:0.###} s {TimeText.Where(Frames)}");
}
