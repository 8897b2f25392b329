using System;

namespace PyDebug.Engine;

/// <summary>The proxy on the way to the server, and who named it.</summary>
/// <param name="Address">Its address, with user and password where it has some.</param>
/// <param name="Source">What named it, such as <c>HTTPS_PROXY</c>.</param>
internal sealed record ServerProxy(Uri Address, string Source)
{
    /// <summary>Reads an address as Go does: without a scheme it is an HTTP proxy's.</summary>
    /// <returns>Null where it is none of the schemes that are spoken.</returns>
    public static Uri? Parse(string text)
        => Uri.TryCreate(
                text.Contains("://", StringComparison.Ordinal) ? text : "http://" + text, UriKind.Absolute,
                out Uri? url)
            && url.Scheme is "http" or "https" or "socks5" or "socks5h" && url!.Host.Length > 0
                ? url
                : null;

    /// <summary>Says nothing of user and password.</summary>
    public override string ToString() => $"{Address.Scheme}://{Address.Host}:{Address.Port} ({Source})";
}
