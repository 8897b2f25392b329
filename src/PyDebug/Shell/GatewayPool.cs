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
                gateway = KubeGateway.Connect(new ConnectionOptions
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
                });
                _open.Add(settings, gateway);
            }

            return gateway;
        }
    }

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
}
