using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>A credential that stays as it is.</summary>
internal sealed class FixedCredentialSource : CredentialSource
{
    private readonly Credential _credential;

    public FixedCredentialSource(Credential credential) => _credential = credential;

    public override ValueTask<Credential> GetAsync(CancellationToken ct) => ValueTask.FromResult(_credential);
}
