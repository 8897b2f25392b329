using System;
using System.Collections.Generic;
using System.Globalization;
using PyDebug.Internal;
using PyDebug.Profiles;

namespace PyDebug;

/// <summary>Where one process's time or memory went, by thread and stack, as a profiler sampled it.</summary>
[ToldBy(nameof(Samples), nameof(Metric))]
public sealed partial record StackProfile : IStackProfileSource, IOfPod
{
    internal StackProfile()
    {
    }

    /// <summary>The pod's namespace; empty in a profile from a file that does not say.</summary>
    public string Namespace { get; internal init; } = "";

    /// <summary>The pod's name; empty in a profile from a file that does not say.</summary>
    public string PodName { get; internal init; } = "";

    /// <summary>The application's container; empty in a profile from a file that does not say.</summary>
    public string ContainerName { get; internal init; } = "";

    /// <summary>The node that the pod runs on.</summary>
    public string? NodeName { get; internal init; }

    /// <summary>The process in the container's PID namespace; null where a file does not say.</summary>
    public int? ProcessId { get; internal init; }

    /// <summary>When the recording ended, in UTC by this machine's clock; null where a file does not say.</summary>
    public DateTime? Timestamp { get; internal init; }

    /// <summary>The process's command line; values that look like secrets are masked.</summary>
    public string? CommandLine { get; internal init; }

    /// <summary>The interpreter's version.</summary>
    public string? PythonVersion { get; internal init; }

    /// <summary>What made the profile, with its version, such as <c>py-spy 0.4.3</c>.</summary>
    public string? Tool { get; internal init; }

    /// <summary><c>Cpu</c> (running threads), <c>Wait</c> (waiting ones), <c>Wall</c> (both), <c>Gil</c> (holders of
    /// the GIL), <c>Time</c> or <c>Samples</c> (a file does not say which), <c>Bytes</c>, or one of a
    /// report of memory: <c>Leaked</c>, <c>HighWatermark</c>, <c>LeakedAllocations</c>,
    /// <c>HighWatermarkAllocations</c>.</summary>
    public string Metric { get; internal init; } = "Samples";

    /// <summary>What values are counted in: <c>seconds</c>, <c>samples</c>, <c>bytes</c> or
    /// <c>allocations</c>.</summary>
    public string Unit { get; internal init; } = "samples";

    /// <summary>How long the recording took by the clock, in seconds; null where a file does not say.</summary>
    public double? DurationSeconds { get; internal init; }

    /// <summary>How many times a second each thread was looked at; null where that is not known.</summary>
    public double? SampleRate { get; internal init; }

    /// <summary>
    /// The number of samples that the profile rests on, counted per thread; of memory, that of allocations.
    /// </summary>
    public long SampleCount { get; internal init; }

    /// <summary>How many samples failed and are missing.</summary>
    public long ErrorCount { get; internal init; }

    /// <summary>
    /// The CPU time of the process meanwhile by the kernel's own counter, in seconds, to hold the samples against; null
    /// where it is not known.
    /// </summary>
    public double? CpuSeconds { get; internal init; }

    /// <summary>Whether the whole process was stopped for each sample; null where that is not known.</summary>
    public bool? StopsProcess { get; internal init; }

    /// <summary>What reduces the profile's worth: a tool that fell behind, a target that exited, few samples.</summary>
    public IReadOnlyList<string> Warnings { get; internal init; } = [];

    /// <summary>The threads that were seen, the one with the highest value first.</summary>
    public IReadOnlyList<ProfileThread> Threads { get; internal init; } = [];

    /// <summary>The distinct stacks by thread, the one with the highest value first.</summary>
    public IReadOnlyList<StackSample> Samples { get; internal init; } = [];

    /// <summary>The samples in the order they were taken. Travels beside the object and is never serialised.</summary>
    internal IReadOnlyList<SampleRun>? Timeline { get; init; }

    /// <summary>The one metric that it has.</summary>
    /// <returns>A list of one.</returns>
    public IReadOnlyList<string> GetStackProfileMetrics() => [Metric];

    /// <summary>The profile itself where it is of that metric.</summary>
    /// <param name="metric">The metric's name in any case; null for whatever the profile has.</param>
    /// <returns>The profile, or nothing.</returns>
    public IReadOnlyList<StackProfile> GetStackProfiles(string? metric)
        => metric is null || metric.Equals(Metric, StringComparison.OrdinalIgnoreCase) ? [this] : [];

    /// <summary>The profile as <c>namespace/pod/container process 1: Cpu, 998 samples in 10 s</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
    {
        string duration = DurationSeconds is double seconds
            ? string.Create(CultureInfo.InvariantCulture, $" in {seconds:0.#} s")
            : "";
        string unit = SampleCount == 1 ? "sample" : "samples";
        string text = string.Create(
            CultureInfo.InvariantCulture, $"{ProfileText.Where(this)}: {Metric}, {SampleCount} {unit}{duration}");
        return SafeText.Line(text, 300);
    }
}
