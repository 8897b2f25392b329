using System;
using System.IO;

namespace PyDebug.Engine;

/// <summary>The way to the server ended at its proxy. The message is one plain sentence that names the proxy.</summary>
internal sealed class ProxyException(string message, bool passing, Exception? innerException = null)
    : IOException(message, innerException)
{
    /// <summary>Whether another attempt may do better.</summary>
    public bool MayPass { get; } = passing;
}
