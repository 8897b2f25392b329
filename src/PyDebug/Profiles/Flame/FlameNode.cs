namespace PyDebug.Profiles.Flame;

/// <summary>A box of the picture.</summary>
/// <param name="Frame">What it shows.</param>
/// <param name="Depth">Its row, 0 at the root.</param>
/// <param name="Start">Where it begins, in the profile's unit.</param>
/// <param name="Value">How wide it is: the time in the frame and what it called, in the profile's unit.</param>
/// <param name="Self">The part of it that was spent in the frame itself.</param>
/// <param name="Count">How many samples it stands for.</param>
internal readonly record struct FlameNode(
    FlameFrame Frame,
    int Depth,
    double Start,
    double Value,
    double Self,
    long Count);
