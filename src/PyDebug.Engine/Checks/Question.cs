using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Engine;

/// <summary>A question, and what it takes.</summary>
/// <param name="Name">Its name, as -For has it; empty for a session without one.</param>
/// <param name="Cmdlet">The cmdlet that asks it.</param>
/// <param name="Operation">The agent's operation, which says what memory it takes.</param>
/// <param name="Pause">How long a thread or the whole process may be held, in seconds: an upper figure.</param>
internal sealed record Question(string Name, string Cmdlet, string Operation, double Pause)
{
    public const string Time = nameof(Time);
    public const string Memray = nameof(Memray);
    public const string PySpy = nameof(PySpy);
    public const string Bpftrace = nameof(Bpftrace);

    // About three times the longest pause that tests/bench/pauses.py saw on a node with more to do than it has
    // processors: who holds a thread may lose his own meanwhile. With 20 and 200 threads of 3.9, 3.13 and 3.15, reads
    // held one for up to 0.04 s (the median of a stack's longest was 0.6 to 4 ms), memray for 0.22 s (median 0.4 to 15
    // ms), and py-spy, which holds the whole process for as long as it reads all threads, for 0.58 s (3.13). With the
    // kernel's sampler and the heap's reader, which hold nothing, the longest was 0.007 s, with nothing 0.005 s.
    private static readonly Question[] s_all =
    [
        new("", "Start-PodDebug", Operations.Probe, 0),
        new("Stack", "Get-PyStack", Operations.Stack, 0.1),
        new(Time, "Measure-PyTime", Operations.Time, 0.1),
        new("Heap", "Get-PyHeap", Operations.Heap, 0),
        new(PySpy, "Invoke-PySpy", Operations.Pyspy, 2),
        new(Memray, "Get-MemrayReport", Operations.Memray, 0.6),
        new(Bpftrace, "Invoke-Bpftrace", Operations.Bpftrace, 0),
    ];

    /// <summary>The question of a name, whatever its case.</summary>
    public static Question Find(string name)
        => s_all.First(q => q.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether it wants the kernel to run a program.</summary>
    public bool NeedsBpf => Name is Time or Bpftrace;

    /// <summary>What it is called in the middle of a sentence.</summary>
    public string Words => Name.Length == 0 ? "a session" : Cmdlet;
}
