namespace PyDebug.Tests.Engine;

/// <summary>What goes wrong in a transfer.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="After">After how many bytes of files.</param>
internal sealed record Fault(FaultKind Kind, long After = 0)
{
    public static Fault None { get; } = new(FaultKind.None);

    /// <summary>Whether it comes among the bytes.</summary>
    public bool IsInside => Kind is FaultKind.Reset or FaultKind.Success or FaultKind.Close or FaultKind.Drop
        or FaultKind.Lost;
}
