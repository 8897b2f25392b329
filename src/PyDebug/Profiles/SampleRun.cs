namespace PyDebug.Profiles;

/// <summary>A stretch of a thread's samples that all show the same stack.</summary>
/// <param name="Sample">The stack's index in the profile's samples.</param>
/// <param name="Value">The stretch's sum, in the profile's unit.</param>
/// <param name="Count">The number of samples in it.</param>
internal readonly record struct SampleRun(int Sample, double Value, long Count);
