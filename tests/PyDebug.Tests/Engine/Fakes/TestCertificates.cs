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
    public X509Certificate2 Server(
        string? name = null,
        DateTimeOffset? until = null,
        DateTimeOffset? from = null,
        string usage = "1.3.6.1.5.5.7.3.1",
        bool named = true)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name ?? "127.0.0.1"}", key, HashAlgorithmName.SHA256);
        Describe(request, name, usage, named);
        return Sign(request, key, until, from);
    }

    /// <summary>One for the loopback address that nobody vouches for but itself.</summary>
    public static X509Certificate2 SelfSigned()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        Describe(request, null, "1.3.6.1.5.5.7.3.1", named: true);
        using X509Certificate2 certificate = request.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>One for the loopback address with an RSA key, signed with a hash of choice.</summary>
    public X509Certificate2 Weak(int bits, HashAlgorithmName hash)
    {
        using RSA key = RSA.Create(bits);
        CertificateRequest request = new("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        Describe(request, null, "1.3.6.1.5.5.7.3.1", named: true);
        using RSA authority = _authority.GetRSAPrivateKey()!;
        X509SignatureGenerator signer = X509SignatureGenerator.CreateForRSA(authority, RSASignaturePadding.Pkcs1);
        using X509Certificate2 signed = request.Create(
            _authority.SubjectName,
            hash == HashAlgorithmName.SHA1 ? new Sha1Signer(authority, signer) : signer,
            DateTimeOffset.UtcNow.AddHours(-20),
            DateTimeOffset.UtcNow.AddDays(5),
            RandomNumberGenerator.GetBytes(8));
        using X509Certificate2 certificate = signed.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }

    private static void Describe(CertificateRequest request, string? name, string usage, bool named)
    {
        SubjectAlternativeNameBuilder names = new();
        if (name is null)
        {
            names.AddIpAddress(IPAddress.Loopback);
        }
        else
        {
            names.AddDnsName(name);
        }

        if (named)
        {
            request.CertificateExtensions.Add(names.Build());
        }

        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
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

    private X509Certificate2 Sign(
        CertificateRequest request, ECDsa key, DateTimeOffset? until, DateTimeOffset? from = null)
    {
        X509SignatureGenerator signer = X509SignatureGenerator.CreateForRSA(
            _authority.GetRSAPrivateKey()!, RSASignaturePadding.Pkcs1);
        X509Certificate2 certificate = request.Create(
            _authority.SubjectName,
            signer,
            from ?? DateTimeOffset.UtcNow.AddHours(-20),
            until ?? DateTimeOffset.UtcNow.AddDays(5),
            RandomNumberGenerator.GetBytes(8)).CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>Signs with SHA-1, whatever hash is asked for.</summary>
    private sealed class Sha1Signer(RSA key, X509SignatureGenerator inner) : X509SignatureGenerator
    {
        public override byte[] GetSignatureAlgorithmIdentifier(HashAlgorithmName hashAlgorithm)
            => [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00];

        public override byte[] SignData(byte[] data, HashAlgorithmName hashAlgorithm)
            => key.SignData(data, HashAlgorithmName.SHA1, RSASignaturePadding.Pkcs1);

        protected override PublicKey BuildPublicKey() => inner.PublicKey;
    }
}
