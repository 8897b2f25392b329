using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>A token in a file that somebody else renews, as in a pod.</summary>
internal sealed class TokenFileCredentialSource : CredentialSource
{
    private static readonly TimeSpan s_lifetime = TimeSpan.FromMinutes(1);

    private readonly string _path;
    private readonly Credential _base;
    private Credential? _current;
    private long _readAt;

    public TokenFileCredentialSource(string path, Credential withCertificate)
    {
        _path = path;
        _base = withCertificate;
    }

    public override async ValueTask<Credential> GetAsync(CancellationToken ct)
    {
        Credential? current = _current;
        return current is not null && Environment.TickCount64 - _readAt < s_lifetime.TotalMilliseconds
            ? current
            : await ReadAsync(ct).ConfigureAwait(false);
    }

    public override async ValueTask<Credential?> RefreshAsync(Credential rejected, CancellationToken ct)
    {
        Credential again = await ReadAsync(ct).ConfigureAwait(false);
        return again.Authorization == rejected.Authorization ? null : again;
    }

    private async Task<Credential> ReadAsync(CancellationToken ct)
    {
        string token;
        try
        {
            token = (await File.ReadAllTextAsync(_path, ct).ConfigureAwait(false)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new EngineException(Causes.KubeconfigInvalid, $"Token file '{_path}' cannot be read.", e);
        }

        Credential read = new()
        {
            Authorization = Credential.Bearer(token),
            Certificate = _base.Certificate,
            Intermediates = _base.Intermediates,
        };
        _readAt = Environment.TickCount64;
        _current = read;
        return read;
    }
}
