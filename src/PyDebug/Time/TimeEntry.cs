namespace PyDebug.Internal;

/// <summary>One thread's time with one stack for one reason, as the agent gives it.</summary>
internal readonly record struct TimeEntry(
    long ThreadId,
    string Reason,
    string? Call,
    double Seconds,
    long Samples,
    long? Count,
    double? Longest,
    double? Error,
    StackFrame[] Frames);
