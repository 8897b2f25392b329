namespace PyDebug.Tests.Engine;

/// <summary>The ways in which a connection ends too early.</summary>
internal enum FaultKind
{
    None,

    /// <summary>A reset before the first byte.</summary>
    ResetFirst,

    /// <summary>A reset among the bytes.</summary>
    Reset,

    /// <summary>A reset behind the last byte, before the trailer.</summary>
    ResetLast,

    /// <summary>The server's word that all went well, among the bytes.</summary>
    Success,

    /// <summary>A close in due form without a word of how it went.</summary>
    Close,

    /// <summary>The end of the connection without any form.</summary>
    Drop,

    /// <summary>The agent's own end, which has not heard of its client for long, among the bytes.</summary>
    Lost,

    /// <summary>The end of the connection behind the trailer, without a word of how it went.</summary>
    NoStatus,
}
