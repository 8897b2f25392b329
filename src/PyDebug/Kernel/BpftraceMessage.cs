namespace PyDebug.Tools.Bpftrace;

/// <summary>One message that bpftrace wrote to its standard error.</summary>
/// <param name="IsError">Whether it is an error, not a warning.</param>
/// <param name="Line">The line in the program as it ran, from 1; 0 where it names none.</param>
/// <param name="Column">The column, from 1; 0 where it names lines alone.</param>
/// <param name="Text">What it says, with the hints below it.</param>
/// <param name="Times">How often it came.</param>
internal sealed record BpftraceMessage(bool IsError, int Line, int Column, string Text, long Times = 1);
