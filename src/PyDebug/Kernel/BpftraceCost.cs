using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>What an attach point of a bpftrace program cost, by the kernel's own account.</summary>
public sealed partial record BpftraceCost
{
    internal BpftraceCost()
    {
    }

    /// <summary>The attach point as the program has it; null where several together are counted.</summary>
    public string? Probe { get; internal init; }

    /// <summary>How many programs the kernel ran for it: one for each probe that a wildcard stands for.</summary>
    public int ProgramCount { get; internal init; }

    /// <summary>How often they ran, also where their predicate then said no.</summary>
    public long RunCount { get; internal init; }

    /// <summary>How long they ran, in seconds of a CPU.</summary>
    public double Seconds { get; internal init; }

    /// <summary>The cost as <c>profile:hz:99: 396 runs, 0.19 ms</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString() => SafeText.Line(string.Create(
        CultureInfo.InvariantCulture,
        $"{Probe ?? "all probes"}: {RunCount:#,0} run{(RunCount == 1 ? "" : "s")}, {Seconds * 1000:0.###} ms"));
}
