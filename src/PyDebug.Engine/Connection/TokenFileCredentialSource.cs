using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>
/// A token in a file that somebody else renews, as in a pod. What is in it is sent to the server, so where a file that
/// may have come from anywhere names it, it is looked at each time where its links lead.
/// </summary>
internal sealed class TokenFileCredentialSource : CredentialSource
{
    private const int MaxToken = 64 << 10;

    private static readonly TimeSpan s_lifetime = TimeSpan.FromMinutes(1);

    private readonly string _path;
    private readonly Credential _base;
    private readonly IReadOnlyList<string>? _folders;
    private Credential? _current;
    private long _readAt;

    /// <param name="path">The token's file.</param>
    /// <param name="withCertificate">What else is shown to the server.</param>
    /// <param name="folders">The folders below which it must lie; null for anywhere.</param>
    public TokenFileCredentialSource(
        string path, Credential withCertificate, IReadOnlyList<string>? folders = null)
    {
        _path = path;
        _base = withCertificate;
        _folders = folders;
    }

    /// <summary>Where the file really is.</summary>
    /// <exception cref="EngineException">That is outside of the folders it must lie in.</exception>
    public string Locate()
    {
        if (_folders is null)
        {
            return _path;
        }

        try
        {
            string real = RealPath.Of(_path);
            return _folders.Any(f => RealPath.IsBelow(real, RealPath.Of(f)))
                ? real
                : throw new EngineException(
                    Causes.KubeconfigInvalid,
                    $"The kubeconfig that -Kubeconfig names asks for the token in '{_path}', which is not below "
                    + $"{string.Join(" or ", _folders.Select(f => $"'{f}'"))}: what is there would be sent to the "
                    + "server. Nothing was read or sent.");
        }
        catch (IOException e)
        {
            throw Unreadable(e);
        }
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
            string path = Locate();
            token = (await Task.Run(() => SmallFile.ReadText(path, MaxToken), ct).WaitAsync(ct).ConfigureAwait(false))
                .Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(e);
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

    private EngineException Unreadable(Exception e)
        => new(Causes.KubeconfigInvalid, $"Token file '{_path}' cannot be read{SmallFile.Why(e)}.", e);
}
