namespace PyDebug.Profiles;

/// <summary>A frame that is entered or left, in a profile of a speedscope file.</summary>
/// <param name="IsOpen">Whether it is entered.</param>
/// <param name="Frame">The frame's number.</param>
/// <param name="At">When, in the profile's unit.</param>
internal readonly record struct SpeedscopeEvent(bool IsOpen, int Frame, double At);
