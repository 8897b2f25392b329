using System;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>
/// Ways through an HTTP proxy, made with CONNECT apart from the requests that go through it, so that the name which the
/// server's certificate must have can be chosen, and the proxy's own answer is known.
/// </summary>
internal sealed class ProxyTunnel : IDisposable
{
    private readonly ServerProxy _proxy;
    private readonly HttpMessageInvoker _invoker;

    /// <param name="proxy">The proxy.</param>
    /// <param name="connect">Opens a connection to an address.</param>
    /// <param name="timeout">The time for it.</param>
    public ProxyTunnel(
        ServerProxy proxy, Func<DnsEndPoint, CancellationToken, Task<NetworkStream>> connect, TimeSpan timeout)
    {
        _proxy = proxy;
        _invoker = new(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ConnectTimeout = timeout,
            // Each way is for one connection.
            PooledConnectionLifetime = TimeSpan.Zero,
            ConnectCallback = async (context, ct) => await connect(context.DnsEndPoint, ct).ConfigureAwait(false),
        });
    }

    /// <summary>Opens a way.</summary>
    /// <exception cref="ProxyException">The proxy does not give one.</exception>
    public async Task<Stream> OpenAsync(DnsEndPoint server, CancellationToken ct)
    {
        string place = $"{(server.Host.Contains(':') ? $"[{server.Host}]" : server.Host)}:{server.Port}";
        HttpRequestMessage request = new(HttpMethod.Connect, _proxy.Address.GetLeftPart(UriPartial.Authority))
        {
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Host = place;
        request.Headers.TryAddWithoutValidation("User-Agent", "PyDebug");
        if (_proxy.Address.UserInfo.Length > 0)
        {
            string user = Uri.UnescapeDataString(_proxy.Address.UserInfo);
            request.Headers.ProxyAuthorization = new AuthenticationHeaderValue(
                "Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(user.Contains(':') ? user : user + ":")));
        }

        HttpResponseMessage response;
        try
        {
            response = await _invoker.SendAsync(request, ct).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            bool secure = e.HttpRequestError == HttpRequestError.SecureConnectionError;
            string why = e.HttpRequestError switch
            {
                HttpRequestError.NameResolutionError => "its name cannot be resolved",
                HttpRequestError.ConnectionError => "no connection could be made",
                HttpRequestError.SecureConnectionError => "its certificate is refused",
                _ => "the connection was cut",
            };
            throw new ProxyException($"Proxy {_proxy} cannot be reached: {why}", passing: !secure, e);
        }

        if (response.StatusCode == HttpStatusCode.OK)
        {
            return await response.Content.ReadAsStreamAsync(ct).ConfigureAwait(false);
        }

        int code = (int)response.StatusCode;
        response.Dispose();
        string asked = code == 407 ? ", which wants another user or password" : string.Empty;
        throw new ProxyException(
            $"Proxy {_proxy}{asked} does not lead to {place} (HTTP {code})", passing: code is 429 or 502 or 503 or 504);
    }

    public void Dispose() => _invoker.Dispose();
}
