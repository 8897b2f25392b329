using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json.Nodes;

namespace PyDebug.Tools.Memray;

/// <summary>How a process is to be tracked, as the agent and the user are told of it.</summary>
internal sealed record MemrayOptions
{
    /// <summary>What the agent takes for -MaximumCaptureBytes where it is not named.</summary>
    private const long DefaultCapture = 1L << 30;

    public int DurationSeconds { get; init; } = 30;

    public bool Native { get; init; }

    public bool PythonAllocators { get; init; }

    public bool Aggregate { get; init; }

    public long? MaximumCaptureBytes { get; init; }

    /// <summary>
    /// The most bytes of a capture that are taken from a pod. Tracking ends a little later than the capture reaches its
    /// limit.
    /// </summary>
    public long LargestCapture => Math.Min(MaximumCaptureBytes ?? DefaultCapture, long.MaxValue / 4) * 2;

    /// <summary>Whether the capture is to be brought here.</summary>
    public bool KeepCapture { get; init; }

    public int MaximumStackCount { get; init; } = 5000;

    public int Depth { get; init; } = 128;

    /// <summary>
    /// How much slower a process runs that does nothing but allocate, by the kind of what it allocates: medians of
    /// <c>tests/bench/memray.ps1</c>, small objects and buffers of 1 to 40 KiB, in time of the CPU.
    /// </summary>
    private string Slower => (PythonAllocators, Native) switch
    {
        (true, true) => "4 to 9",
        (true, false) => "2 to 3",
        (false, true) => "1.2 to 2.3",
        _ => "1.1 to 1.6",
    };

    /// <summary>
    /// What a process's memory grows by, in MiB, as measured there and in one that has loaded little.
    /// </summary>
    private int Mebibytes => Native ? 9 : 8;

    /// <summary>Writes the fields of a request for a report.</summary>
    public void Write(JsonObject body)
    {
        body["seconds"] = DurationSeconds;
        body["native"] = Native;
        body["pythonAllocators"] = PythonAllocators;
        body["aggregate"] = Aggregate;
        body["maximumBytes"] = MaximumCaptureBytes;
        body["keepCapture"] = KeepCapture;
        WriteCaps(body);
    }

    /// <summary>Writes what a report is to hold.</summary>
    public void WriteCaps(JsonObject body)
    {
        body["stacks"] = MaximumStackCount;
        body["depth"] = Depth;
    }

    /// <summary>What is done to the process, for the question before it.</summary>
    public string Action(string version)
    {
        List<string> modes = [];
        modes.AddRange(Native ? ["native"] : []);
        modes.AddRange(PythonAllocators ? ["Python's allocators"] : []);
        modes.AddRange(Aggregate ? ["aggregated"] : []);
        string mode = modes.Count == 0 ? "" : $", {string.Join(", ", modes)},";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"run memray {version}{mode} for {DurationSeconds} s inside (pause about 10 ms, memory about ")
            + $"{Mebibytes} MiB, {Slower} times slower while it does nothing but allocate; undone at the end except "
            + "for the loaded module)";
    }

    /// <summary>What the modes cost, for those who asked for them.</summary>
    public IEnumerable<string> Costs()
    {
        if (PythonAllocators)
        {
            yield return "-PythonAllocators tracks every object that Python makes: a process that does nothing but "
                + $"allocate ran {Slower} times slower in a measurement{(Native ? ", together with -Native" : "")}, "
                + $"and the capture grew by {(Native ? 15 : 30)} MB a second.";
        }

        if (Native)
        {
            yield return "-Native unwinds the machine's stack at each allocation"
                + (PythonAllocators
                    ? ", here for every object that Python makes."
                    : $": a process that does nothing but allocate ran {Slower} times slower in a measurement, and the "
                        + "report is larger.");
        }

        if (Aggregate)
        {
            yield return "-Aggregate keeps sums in the process's own memory until the end: there are no totals of what "
                + "was freed, and nothing at all where the process ends meanwhile.";
        }
    }
}
