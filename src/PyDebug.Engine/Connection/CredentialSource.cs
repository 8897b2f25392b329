using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Gives the credential for a request.</summary>
internal abstract class CredentialSource
{
    public abstract ValueTask<Credential> GetAsync(CancellationToken ct);

    /// <summary>A new one after the server refused <paramref name="rejected"/>; null when there is none.</summary>
    public virtual ValueTask<Credential?> RefreshAsync(Credential rejected, CancellationToken ct)
        => ValueTask.FromResult<Credential?>(null);
}
