using System;
using System.Collections.Generic;
using System.Linq;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace PyDebug.Engine;

/// <summary>
/// Whom to believe on the other end, for REST and exec alike: the kubeconfig's authorities alone where it has some,
/// and always the host's name. KubernetesClient accepts a certificate of the right authority for any name.
/// </summary>
internal sealed class TlsPolicy
{
    private const int ShortestKey = 2048;
    private const string AlternativeNames = "2.5.29.17";

    /// <summary>RSA with MD5 and SHA-1, and DSA and ECDSA with SHA-1.</summary>
    private static readonly HashSet<string?> s_weakSignatures =
        ["1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10040.4.3", "1.2.840.10045.4.1"];

    private readonly ServerSettings _settings;
    private volatile string? _lastFailure;

    public TlsPolicy(ServerSettings settings) => _settings = settings;

    /// <summary>Why the last certificate was refused.</summary>
    public string? LastFailure => _lastFailure;

    public SslClientAuthenticationOptions Options(Credential credential)
    {
        SslClientAuthenticationOptions options = new()
        {
            RemoteCertificateValidationCallback = Validate,
            ClientCertificateContext = credential.Certificate is null
                ? null
                : SslStreamCertificateContext.Create(credential.Certificate, credential.Intermediates, offline: true),
        };
        if (_settings.Authorities is not null)
        {
            X509ChainPolicy policy = new()
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
            };
            policy.CustomTrustStore.AddRange(_settings.Authorities);
            policy.ApplicationPolicy.Add(new("1.3.6.1.5.5.7.3.1"));
            options.CertificateChainPolicy = policy;
        }

        if (_settings.TlsServerName is not null)
        {
            options.TargetHost = _settings.TlsServerName;
        }

        return options;
    }

    private bool Validate(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (_settings.SkipVerification)
        {
            return true;
        }

        if (certificate is X509Certificate2 own && !own.Extensions.Any(e => e.Oid?.Value == AlternativeNames))
        {
            // .NET takes the common name for the host's, which nobody does any more.
            errors |= SslPolicyErrors.RemoteCertificateNameMismatch;
        }

        if (errors == SslPolicyErrors.None
            || (errors == SslPolicyErrors.RemoteCertificateChainErrors && EndsAtAuthority(chain)))
        {
            _lastFailure = chain is null ? null : Weakness(chain);
            return _lastFailure is null;
        }

        string name = _settings.TlsServerName ?? _settings.Server.Host;
        _lastFailure = errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable)
            ? "it showed none"
            : errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)
                ? $"it is not for '{name}'"
                : _settings.Authorities is null
                    ? $"no authority of this machine vouches for it{Reasons(chain)}"
                    : $"the configured authority does not vouch for it{Reasons(chain)}";
        return false;
    }

    /// <summary>
    /// What is too weak in a chain that is otherwise right, as Go and browsers see it; .NET takes it. The last one is
    /// trusted for itself, whatever its signature.
    /// </summary>
    internal static string? Weakness(X509Chain chain)
    {
        for (int i = 0; i < chain.ChainElements.Count; i++)
        {
            X509Certificate2 certificate = chain.ChainElements[i].Certificate;
            string whose = i == 0 ? "its" : "its authority's";
            using RSA? key = certificate.GetRSAPublicKey();
            if (key is { KeySize: < ShortestKey })
            {
                return $"{whose} key of {key.KeySize} bits is too short";
            }

            if (i < chain.ChainElements.Count - 1 && s_weakSignatures.Contains(certificate.SignatureAlgorithm.Value))
            {
                return $"{(i == 0 ? "it" : "its authority")} is signed with {(
                    certificate.SignatureAlgorithm.Value == "1.2.840.113549.1.1.4" ? "MD5" : "SHA-1")}";
            }
        }

        return null;
    }

    /// <summary>An authority of the kubeconfig need not be a root: as in Go, the chain may end at it.</summary>
    private bool EndsAtAuthority(X509Chain? chain)
    {
        if (_settings.Authorities is null || chain is null || chain.ChainElements.Count < 2
            || Array.Exists(chain.ChainStatus, s => s.Status != X509ChainStatusFlags.PartialChain))
        {
            return false;
        }

        ReadOnlySpan<byte> last = chain.ChainElements[^1].Certificate.RawDataMemory.Span;
        foreach (X509Certificate2 authority in _settings.Authorities)
        {
            if (authority.RawDataMemory.Span.SequenceEqual(last))
            {
                return true;
            }
        }

        return false;
    }

    private static string Reasons(X509Chain? chain)
        => chain is { ChainStatus.Length: > 0 } ? $" ({chain.ChainStatus[0].Status})" : string.Empty;
}
