using System;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>A client certificate in files that somebody else renews; they are read again when they change.</summary>
internal sealed class CertificateFileCredentialSource : CredentialSource
{
    private readonly object _lock = new();
    private readonly string[] _files;
    private readonly Func<Credential> _read;
    private Credential _current;
    private DateTime[] _times;

    /// <param name="files">The files of certificate and key.</param>
    /// <param name="read">Reads them.</param>
    public CertificateFileCredentialSource(string[] files, Func<Credential> read)
    {
        _files = files;
        _read = read;
        _times = Times();
        _current = read();
    }

    public override ValueTask<Credential> GetAsync(CancellationToken ct)
    {
        lock (_lock)
        {
            DateTime[] now = Times();
            if (!now.SequenceEqual(_times))
            {
                try
                {
                    _current = _read();
                    _times = now;
                }
                catch (EngineException)
                {
                    // Certificate and key are replaced one after the other; the next request looks again.
                }
            }

            return ValueTask.FromResult(_current);
        }
    }

    public override async ValueTask<Credential?> RefreshAsync(Credential rejected, CancellationToken ct)
    {
        Credential now = await GetAsync(ct).ConfigureAwait(false);
        return ReferenceEquals(now, rejected) ? null : now;
    }

    private DateTime[] Times() => [.. _files.Select(File.GetLastWriteTimeUtc)];
}
