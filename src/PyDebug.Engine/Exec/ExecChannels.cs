namespace PyDebug.Engine;

/// <summary>First byte of each message of the exec protocols, and their names.</summary>
internal static class ExecChannels
{
    public const string V4 = "v4.channel.k8s.io";
    public const string V5 = "v5.channel.k8s.io";

    public const byte Input = 0;
    public const byte Output = 1;
    public const byte Error = 2;
    public const byte Status = 3;
    public const byte Close = 255;

    /// <summary>Longest message sent, channel byte included: what kubectl uses.</summary>
    public const int MaxMessage = 32 << 10;
}
