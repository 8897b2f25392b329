using System;
using System.Collections.Generic;
using System.Security.Cryptography.X509Certificates;

namespace PyDebug.Engine;

/// <summary>Where the server is, whom to trust for it, and who we are.</summary>
internal sealed record ServerSettings
{
    public required Uri Server { get; init; }

    public required CredentialSource Credentials { get; init; }

    /// <summary>The only authorities that may vouch for the server; null takes the system's.</summary>
    public X509Certificate2Collection? Authorities { get; init; }

    public bool SkipVerification { get; init; }

    /// <summary>Name the certificate must be for, where it is not the server's host name.</summary>
    public string? TlsServerName { get; init; }

    /// <summary>The proxy on the way; null for the direct one.</summary>
    public ServerProxy? Proxy { get; init; }

    public string Namespace { get; init; } = "default";

    /// <summary>Impersonation headers for every request.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long one request is made again while the server is away or busy.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Whether the server answers.</summary>
    public ServerHealth Health { get; init; } = new(TimeProvider.System);
}
