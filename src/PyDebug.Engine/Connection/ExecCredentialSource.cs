using System;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Credentials from a login helper, kept until shortly before they expire.</summary>
internal sealed class ExecCredentialSource : CredentialSource, IDisposable
{
    private static readonly TimeSpan s_margin = TimeSpan.FromSeconds(15);

    private readonly ExecPlugin _plugin;
    private readonly Action<string>? _tell;
    private readonly Action<string>? _warn;
    private readonly SharedLogin _login;
    private int _left;

    /// <param name="plugin">The login helper.</param>
    /// <param name="tell">Hears of each run.</param>
    /// <param name="warn">Hears what a helper says that takes its time.</param>
    public ExecCredentialSource(ExecPlugin plugin, Action<string>? tell = null, Action<string>? warn = null)
    {
        _plugin = plugin;
        _tell = tell;
        _warn = warn;
        _login = SharedLogin.Join(plugin);
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _left, 1) == 0)
        {
            _login.Leave();
        }
    }

    public override ValueTask<Credential> GetAsync(CancellationToken ct) => CurrentAsync(null, ct);

    public override async ValueTask<Credential?> RefreshAsync(Credential rejected, CancellationToken ct)
        => await CurrentAsync(rejected, ct).ConfigureAwait(false);

    private async ValueTask<Credential> CurrentAsync(Credential? rejected, CancellationToken ct)
    {
        await _login.Gate.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            Credential? current = _login.Current;
            bool usable = current is not null && !ReferenceEquals(current, rejected)
                && (current.Expires is null || current.Expires - s_margin > DateTimeOffset.UtcNow);
            return _login.Current = usable ? current! : await RunAsync(ct).ConfigureAwait(false);
        }
        finally
        {
            _login.Gate.Release();
        }
    }

    private async Task<Credential> RunAsync(CancellationToken ct)
    {
        byte[] output = await ExecPluginRunner.RunAsync(_plugin, _tell, _warn, ct).ConfigureAwait(false);
        JsonObject? answer = KubeJson.ParseObject(output);
        JsonObject? status = KubeJson.Object(answer, "status");
        if (KubeJson.Text(answer, "kind") != "ExecCredential" || status is null)
        {
            throw Failed("did not answer with an ExecCredential");
        }

        if (KubeJson.Text(answer, "apiVersion") is string version && version != _plugin.ApiVersion)
        {
            throw Failed($"answered in version '{version}', not in '{_plugin.ApiVersion}'");
        }

        string? token = KubeJson.Text(status, "token");
        string? certificate = KubeJson.Text(status, "clientCertificateData");
        string? key = KubeJson.Text(status, "clientKeyData");
        if (string.IsNullOrEmpty(token) && (certificate is null || key is null))
        {
            throw Failed("gave neither a token nor a client certificate with its key");
        }

        X509Certificate2Collection chain = [];
        X509Certificate2? leaf = null;
        if (certificate is not null && key is not null)
        {
            try
            {
                leaf = Certificates.ReadClient(Encoding.UTF8.GetBytes(certificate), Encoding.UTF8.GetBytes(key), chain);
            }
            catch (CryptographicException)
            {
                throw Failed("gave a client certificate that cannot be read");
            }
        }

        return new Credential
        {
            Authorization = string.IsNullOrEmpty(token) ? null : Credential.Bearer(token),
            Certificate = leaf,
            Intermediates = chain,
            Expires = KubeJson.Time(status, "expirationTimestamp") is DateTime time ? new DateTimeOffset(time) : null,
            Helper = _plugin.Command,
        };
    }

    private EngineException Failed(string what)
        => new(Causes.ExecPluginFailed, $"Login helper '{_plugin.Command}' {what}.");
}
