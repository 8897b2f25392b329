using System;
using System.Collections.Generic;
using PyDebug.Engine;

namespace PyDebug.Commands;

/// <summary>The connections that one cmdlet has open: one for each way to a server.</summary>
internal sealed class GatewayPool(
    Action<string> warn, Action<string>? tell = null, TeamPolicy? policy = null, Action<string>? trace = null)
    : IDisposable
{
    private readonly Dictionary<ConnectionSettings, KubeGateway> _open = [];

    /// <summary>The connection for the settings; equal settings share one.</summary>
    public KubeGateway Get(ConnectionSettings settings)
    {
        lock (_open)
        {
            if (!_open.TryGetValue(settings, out KubeGateway? gateway))
            {
                gateway = KubeGateway.Connect(Options(settings, warn, tell, policy, trace));
                _open.Add(settings, gateway);
            }

            return gateway;
        }
    }

    /// <summary>Looks at the settings. Nothing is sent.</summary>
    /// <exception cref="EngineException">They name no server, or one that is refused.</exception>
    public static void Check(ConnectionSettings settings) => KubeGateway.Check(Options(settings));

    public void Dispose()
    {
        lock (_open)
        {
            foreach (KubeGateway gateway in _open.Values)
            {
                gateway.Dispose();
            }

            _open.Clear();
        }
    }

    private static ConnectionOptions Options(
        ConnectionSettings settings,
        Action<string>? warn = null,
        Action<string>? tell = null,
        TeamPolicy? policy = null,
        Action<string>? trace = null)
        => new()
        {
            Kubeconfig = settings.Kubeconfig,
            Context = settings.Context,
            Server = settings.Server,
            AccessToken = settings.AccessToken,
            CertificateAuthorityData = settings.CertificateAuthorityData,
            Warn = warn,
            Tell = tell,
            Trace = trace,
            Policy = policy,
            Clock = settings.Clock,
        };
}
