using System;
using System.Security;

namespace PyDebug.Engine;

/// <summary>How to reach the API server.</summary>
internal sealed class ConnectionOptions
{
    /// <summary>Path of one kubeconfig file; null takes the ones kubectl would take.</summary>
    public string? Kubeconfig { get; init; }

    /// <summary>Context of the kubeconfig; null takes its current context.</summary>
    public string? Context { get; init; }

    /// <summary>Address of the server; with it no kubeconfig is read.</summary>
    public string? Server { get; init; }

    /// <summary>Base64 of PEM, or PEM, of the authorities that may vouch for <see cref="Server"/>.</summary>
    public string? CertificateAuthorityData { get; init; }

    /// <summary>Bearer token for <see cref="Server"/>.</summary>
    public SecureString? AccessToken { get; init; }

    /// <summary>Longest time for one request.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long one request is made again while the server is away or busy.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The clock of the pauses between attempts.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>What a team allows; null reads what is installed here.</summary>
    public TeamPolicy? Policy { get; init; }

    /// <summary>Takes what the user should know about the connection.</summary>
    public Action<string>? Warn { get; init; }

    /// <summary>Takes what a user who asked for more words may want to know.</summary>
    public Action<string>? Tell { get; init; }

    /// <summary>Takes a line for each request, with what came of it and how long that took.</summary>
    public Action<string>? Trace { get; init; }
}
