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

    // py-spy holds the process for as long as it reads, which is long where it has many threads; memray's worker stops
    // one
    // thread twice for some 10 ms; all others hold a running thread for one read.
    private static readonly Question[] s_all =
    [
        new("", "Start-PodDebug", Operations.Probe, 0),
        new("Stack", "Get-PyStack", Operations.Stack, 0.005),
        new(Time, "Measure-PyTime", Operations.Time, 0.005),
        new("Heap", "Get-PyHeap", Operations.Heap, 0),
        new(PySpy, "Invoke-PySpy", Operations.Pyspy, 0.5),
        new(Memray, "Get-MemrayReport", Operations.Memray, 0.05),
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
