using System;
using System.Security;

namespace PyDebug.Commands;

/// <summary>How a server is reached, as the user said it. Equal settings share a connection.</summary>
internal sealed record ConnectionSettings
{
    public static ConnectionSettings Default { get; } = new();

    /// <summary>The full path of a kubeconfig file, or null for kubectl's rules.</summary>
    public string? Kubeconfig { get; init; }

    public string? Context { get; init; }

    public string? Server { get; init; }

    public SecureString? AccessToken { get; init; }

    public string? CertificateAuthorityData { get; init; }

    /// <summary>The clock of the pauses between attempts.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Says nothing of what it holds: a token must not get into a log.</summary>
    public override string ToString() => Server ?? Context ?? "default";
}
