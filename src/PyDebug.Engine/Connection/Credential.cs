using System;
using System.Security.Cryptography.X509Certificates;

namespace PyDebug.Engine;

/// <summary>What proves to the server who we are.</summary>
internal sealed class Credential
{
    public static readonly Credential None = new();

    /// <summary>Value of the Authorization header.</summary>
    public string? Authorization { get; init; }

    public X509Certificate2? Certificate { get; init; }

    /// <summary>Further certificates of the chain of <see cref="Certificate"/>.</summary>
    public X509Certificate2Collection Intermediates { get; init; } = [];

    public DateTimeOffset? Expires { get; init; }

    /// <summary>The login helper it came from.</summary>
    public string? Helper { get; init; }

    public static string Bearer(string token)
    {
        foreach (char c in token)
        {
            if (c is < '!' or > '~')
            {
                throw new EngineException(Causes.Unauthorized, "The token has characters that no token may have.");
            }
        }

        return "Bearer " + token;
    }
}
