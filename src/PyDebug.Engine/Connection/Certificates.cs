using System;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace PyDebug.Engine;

/// <summary>Reads certificates and keys in the forms a kubeconfig may hold.</summary>
internal static class Certificates
{
    /// <summary>Every certificate of a PEM text, or the one of a DER blob.</summary>
    /// <exception cref="CryptographicException">There is none.</exception>
    public static X509Certificate2Collection ReadAuthorities(byte[] data)
    {
        X509Certificate2Collection authorities = [];
        string text = Encoding.UTF8.GetString(data);
        if (text.Contains("-----BEGIN", StringComparison.Ordinal))
        {
            authorities.ImportFromPem(text);
        }
        else
        {
            authorities.Add(new X509Certificate2(data));
        }

        return authorities.Count > 0 ? authorities : throw new CryptographicException("no certificate");
    }

    /// <summary>A client certificate with its key, RSA or elliptic curve; its chain goes to the collection.</summary>
    public static X509Certificate2 ReadClient(byte[] certificate, byte[] key, X509Certificate2Collection chain)
    {
        string pem = Encoding.UTF8.GetString(certificate);
        X509Certificate2 leaf;
        try
        {
            leaf = X509Certificate2.CreateFromPem(pem, Encoding.UTF8.GetString(key));
        }
        catch (ArgumentException e)
        {
            throw new CryptographicException("the key does not fit the certificate", e);
        }

        chain.ImportFromPem(pem);
        if (chain.Count > 0)
        {
            chain.RemoveAt(0);
        }

        if (!OperatingSystem.IsWindows())
        {
            return leaf;
        }

        // Schannel cannot use a key that lives in memory only.
        using (leaf)
        {
            return new X509Certificate2(leaf.Export(X509ContentType.Pkcs12));
        }
    }

    /// <summary>Base64 of PEM or DER, or PEM itself.</summary>
    public static byte[] Decode(string data)
        => data.Contains("-----BEGIN", StringComparison.Ordinal)
            ? Encoding.UTF8.GetBytes(data)
            : Convert.FromBase64String(data);
}
