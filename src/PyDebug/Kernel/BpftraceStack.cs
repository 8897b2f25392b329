using System.Collections.Generic;

namespace PyDebug.Tools.Bpftrace;

/// <summary>A Python stack that a program met.</summary>
/// <param name="ProcessId">The process; null where that is not known.</param>
/// <param name="Frames">The frames, innermost first; none where the thread runs no Python.</param>
internal sealed record BpftraceStack(int? ProcessId, IReadOnlyList<StackFrame> Frames);
