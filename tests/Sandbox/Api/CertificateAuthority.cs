using System;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace PyDebug.Sandbox.Api;

/// <summary>A certificate authority that lives as long as the sandbox, and the server certificate it signed.</summary>
internal static class CertificateAuthority
{
    /// <summary>Makes both.</summary>
    /// <returns>The server's certificate with its key, and the authority's certificate as PEM.</returns>
    public static (X509Certificate2 Server, string AuthorityPem) Create()
    {
        DateTimeOffset from = DateTimeOffset.UtcNow.AddHours(-1);
        DateTimeOffset until = from.AddDays(30);
        using ECDsa authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest authorityRequest = new("CN=pydebug-sandbox-ca", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        authorityRequest.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        X509SubjectKeyIdentifierExtension authorityId = new(authorityRequest.PublicKey, false);
        authorityRequest.CertificateExtensions.Add(authorityId);
        using X509Certificate2 authority = authorityRequest.CreateSelfSigned(from, until);

        using ECDsa serverKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=pydebug-sandbox", serverKey, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(
            new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        request.CertificateExtensions.Add(
            X509AuthorityKeyIdentifierExtension.CreateFromSubjectKeyIdentifier(authorityId));
        using X509Certificate2 signed = request.Create(authority, from, until, RandomNumberGenerator.GetBytes(16));
        using X509Certificate2 withKey = signed.CopyWithPrivateKey(serverKey);
        byte[] exported = withKey.Export(X509ContentType.Pkcs12);
        return (X509CertificateLoader.LoadPkcs12(exported, null), authority.ExportCertificatePem());
    }
}
