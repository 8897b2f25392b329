namespace PyDebug;

/// <summary>A record that names a process and knows, while it lives, the session that it came of.</summary>
internal interface ISessionCarrier
{
    /// <summary>The session, with how its server is reached; null in a record that was made again.</summary>
    public PodDebugSession? Session { get; }
}
