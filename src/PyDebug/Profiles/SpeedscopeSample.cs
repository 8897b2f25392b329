namespace PyDebug.Profiles;

/// <summary>A sample of a profile in a speedscope file.</summary>
/// <param name="Stack">The stack's number in the file.</param>
/// <param name="Value">The weight, in the file's unit.</param>
/// <param name="Count">How many samples it stands for.</param>
/// <param name="State">How the time was spent, where that is known.</param>
internal readonly record struct SpeedscopeSample(int Stack, double Value, long Count, SampleState State);
