namespace PyDebug.Engine;

/// <summary>The letters of the agent's frames.</summary>
internal static class FrameKinds
{
    public const char Request = 'Q';
    public const char Data = 'D';
    public const char EndOfData = 'Z';
    public const char Cancel = 'C';
    public const char KeepAlive = 'K';
    public const char Acknowledge = 'A';

    public const char Hello = 'H';
    public const char Result = 'R';
    public const char Progress = 'P';
    public const char File = 'F';

    /// <summary>Bytes of a file whose hash is told behind them: that of the stream leaves them out.</summary>
    public const char HashedFile = 'G';

    public const char Need = 'N';
    /// <summary>Modules that the agent compiled and keeps; as the first frame, that what was kept is not there.</summary>
    public const char Modules = 'M';

    public const char Warning = 'W';
    public const char Failure = 'E';
    public const char Heartbeat = 'B';
    public const char Trailer = 'T';

    public const string FromAgent = "HRPFGNMWEBT";
}
