using System;
using System.Collections.Generic;
using System.Globalization;
using PyDebug.Internal;
using PyDebug.Profiles;

namespace PyDebug;

/// <summary>
/// Where all of a process's wall time went, by thread, stack and reason. <see cref="Cpu"/> and <see cref="Waits"/>
/// together are the whole of it.
/// </summary>
[ToldBy(nameof(Waits), nameof(Cpu))]
public sealed partial record PyTimeReport : IStackProfileSource, IOfPod
{
    internal PyTimeReport()
    {
    }

    /// <summary>The pod's namespace.</summary>
    public string Namespace { get; internal init; } = "";

    /// <summary>The pod's name.</summary>
    public string PodName { get; internal init; } = "";

    /// <summary>The application's container.</summary>
    public string ContainerName { get; internal init; } = "";

    /// <summary>The node that the pod runs on.</summary>
    public string? NodeName { get; internal init; }

    /// <summary>The process in the container's PID namespace.</summary>
    public int ProcessId { get; internal init; }

    /// <summary>When this was read, in UTC by this machine's clock.</summary>
    public DateTime Timestamp { get; internal init; }

    /// <summary>The process's command line; values that look like secrets are masked.</summary>
    public string? CommandLine { get; internal init; }

    /// <summary>The interpreter's version.</summary>
    public string? PythonVersion { get; internal init; }

    /// <summary><c>Kernel</c> or <c>Memory</c>: which sampler was used.</summary>
    public string Method { get; internal init; } = "";

    /// <summary>Why the kernel sampler was not used; null where it was, or was not asked for.</summary>
    public string? WhyNotKernel { get; internal init; }

    /// <summary>The constant name of that cause, such as <c>NoCapability</c>.</summary>
    public string? WhyNotKernelCause { get; internal init; }

    /// <summary>What would let the kernel sampler be used; null where nothing would.</summary>
    public string? Advice { get; internal init; }

    /// <summary>Whether every single wait was taken, not sampled.</summary>
    public bool Exact { get; internal init; }

    /// <summary>When the window began, in UTC by the node's clock.</summary>
    public DateTime? Started { get; internal init; }

    /// <summary>How long the window was, in seconds by the clock.</summary>
    public double DurationSeconds { get; internal init; }

    /// <summary>How many times a second threads on a CPU were sampled.</summary>
    public double? SampleRate { get; internal init; }

    /// <summary>How many times a second threads were looked at for where they wait.</summary>
    public double? WaitSampleRate { get; internal init; }

    /// <summary>Whether the process ended, or started another program, within the window.</summary>
    public bool Ended { get; internal init; }

    /// <summary>The longest that a thread was held, in microseconds; null where none was.</summary>
    public double? HeldMicroseconds { get; internal init; }

    /// <summary>Seconds for which the container's CPU quota held it up; null where there is none.</summary>
    public double? ThrottledSeconds { get; internal init; }

    /// <summary>The threads, in the order of their ids.</summary>
    public IReadOnlyList<PyTimeThread> Threads { get; internal init; } = [];

    /// <summary>What ran on a CPU, the longest first.</summary>
    public IReadOnlyList<PyTimeCpu> Cpu { get; internal init; } = [];

    /// <summary>What did not run, and why, the longest first.</summary>
    public IReadOnlyList<PyTimeWait> Waits { get; internal init; } = [];

    /// <summary>How many samples were taken in all: on a CPU, and proven where threads wait.</summary>
    public long SampleCount { get; internal init; }

    /// <summary>How many samples failed and are missing.</summary>
    public long MissCount { get; internal init; }

    /// <summary>How many stacks were deeper than <c>-Depth</c>.</summary>
    public long TruncatedCount { get; internal init; }

    /// <summary>How many frames could not be named.</summary>
    public long UnresolvedCount { get; internal init; }

    /// <summary>How many events the kernel could not hand over.</summary>
    public long LostCount { get; internal init; }

    /// <summary>Seconds of all threads in waits too short to be read for certain.</summary>
    public double UnprovenSeconds { get; internal init; }

    /// <summary>The CPU time of PyDebug's agent for this process, in seconds.</summary>
    public double? AgentCpuSeconds { get; internal init; }

    /// <summary>The time of PyDebug's programs in the kernel, in seconds by the kernel's own account.</summary>
    public double? ProgramSeconds { get; internal init; }

    /// <summary>How often PyDebug's programs ran in the kernel.</summary>
    public long? ProgramRuns { get; internal init; }

    /// <summary>What reduces the report's worth: a target that exited, few samples, deep stacks.</summary>
    public IReadOnlyList<string> Warnings { get; internal init; } = [];

    /// <summary>Remarks on how the figures were had.</summary>
    public IReadOnlyList<string> Notes { get; internal init; } = [];

    /// <summary>The metrics that there are profiles of.</summary>
    /// <returns><c>Wall</c>, <c>Cpu</c> and <c>Wait</c>.</returns>
    public IReadOnlyList<string> GetStackProfileMetrics() => TimeProfiles.Metrics;

    /// <summary>The report as a profile: <c>Wall</c> (all of the time), <c>Cpu</c> or <c>Wait</c> (the rest).</summary>
    /// <param name="metric">The metric's name in any case; null for <c>Wall</c>.</param>
    /// <returns>The profile, or nothing.</returns>
    public IReadOnlyList<StackProfile> GetStackProfiles(string? metric) => TimeProfiles.Of(this, metric);

    /// <summary>The report as <c>namespace/pod/container process 1: 10 s of 6 threads (kernel sampler)</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
    {
        string what = TimeText.Window(this);
        return SafeText.Line(
            $"{Namespace}/{PodName}/{ContainerName} process {ProcessId}: {what} ({TimeText.Sampler(this)})", 300);
    }

    internal PodTarget Target() => new(Namespace, PodName, ContainerName, ProcessId);
}
