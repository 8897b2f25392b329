namespace PyDebug.Engine;

/// <summary>What a command that failed left at work in the pod.</summary>
internal static class RemoteStates
{
    /// <summary>Nothing was begun there.</summary>
    public const string NotStarted = nameof(NotStarted);

    /// <summary>It has ended.</summary>
    public const string Stopped = nameof(Stopped);

    /// <summary>It may be at work for some seconds more, until it notices that it is alone.</summary>
    public const string MayBeRunning = nameof(MayBeRunning);

    /// <summary>What answered is not known to be what was asked.</summary>
    public const string Unknown = nameof(Unknown);
}
