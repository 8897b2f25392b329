using System;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace PyDebug.Tests.Engine;

/// <summary>An authority made for one test run, and certificates it signs.</summary>
internal sealed class TestCertificates
{
    private readonly X509Certificate2 _authority;

    public TestCertificates(TestCertificates? issuer = null)
    {
        using RSA key = RSA.Create(2048);
        CertificateRequest request = new(
            $"CN=authority-{Guid.NewGuid():N}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        if (issuer is null)
        {
            _authority = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(10));
            return;
        }

        using X509Certificate2 signed = request.Create(
            issuer._authority, DateTimeOffset.UtcNow.AddHours(-22), DateTimeOffset.UtcNow.AddDays(9), [1, 2, 3, 4]);
        _authority = signed.CopyWithPrivateKey(key);
    }

    public static TestCertificates Shared { get; } = new();

    public string AuthorityData => Convert.ToBase64String(Encoding.ASCII.GetBytes(_authority.ExportCertificatePem()));

    /// <summary>A certificate for this machine's loopback address, or for a name.</summary>
    public X509Certificate2 Server(string? name = null, DateTimeOffset? until = null)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name ?? "loopback"}", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        if (name is null)
        {
            names.AddIpAddress(IPAddress.Loopback);
        }
        else
        {
            names.AddDnsName(name);
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        return Sign(request, key, until);
    }

    /// <summary>PEM texts of a client certificate with an elliptic-curve key.</summary>
    public (string Certificate, string Key) Client(string name)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], false));
        using X509Certificate2 certificate = Sign(request, key, null);
        return (certificate.ExportCertificatePem(), key.ExportECPrivateKeyPem());
    }

    private X509Certificate2 Sign(CertificateRequest request, ECDsa key, DateTimeOffset? until)
    {
        X509SignatureGenerator signer = X509SignatureGenerator.CreateForRSA(
            _authority.GetRSAPrivateKey()!, RSASignaturePadding.Pkcs1);
        X509Certificate2 certificate = request.Create(
            _authority.SubjectName,
            signer,
            DateTimeOffset.UtcNow.AddHours(-20),
            until ?? DateTimeOffset.UtcNow.AddDays(5),
            RandomNumberGenerator.GetBytes(8)).CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }
}
