using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Security;
using System.Net.Sockets;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Sends requests to the one server, with credentials, over one pool of connections.</summary>
internal sealed class Transport : IDisposable
{
    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(20);

    private readonly ServerSettings _settings;
    private readonly TlsPolicy _tls;
    private readonly object _lock = new();
    private readonly List<HttpMessageInvoker> _retired = [];
    private HttpMessageInvoker? _invoker;
    private Credential? _invokerCredential;

    public Transport(ServerSettings settings)
    {
        _settings = settings;
        _tls = new(settings);
    }

    public ServerSettings Settings => _settings;

    /// <summary>
    /// Sends a request made anew for each attempt. After a 401 the credential is renewed once where it can be.
    /// </summary>
    /// <exception cref="EngineException">There was no answer, or the credential helper failed.</exception>
    public async Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> make, CancellationToken ct)
    {
        Credential credential = await _settings.Credentials.GetAsync(ct).ConfigureAwait(false);
        HttpResponseMessage response = await SendAsync(make(), credential, ct).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.Unauthorized)
        {
            return response;
        }

        Credential? renewed = await _settings.Credentials.RefreshAsync(credential, ct).ConfigureAwait(false);
        if (renewed is not null)
        {
            response.Dispose();
            credential = renewed;
            response = await SendAsync(make(), renewed, ct).ConfigureAwait(false);
        }

        if (response.StatusCode == HttpStatusCode.Unauthorized && credential.Helper is not null)
        {
            response.Dispose();
            throw Refused(credential);
        }

        return response;
    }

    public Uri Address(string pathAndQuery)
        => new(_settings.Server.GetLeftPart(UriPartial.Path).TrimEnd('/') + pathAndQuery);

    public void Dispose()
    {
        lock (_lock)
        {
            _invoker?.Dispose();
            _retired.ForEach(i => i.Dispose());
            _retired.Clear();
            _invoker = null;
        }
    }

    private static EngineException Refused(Credential credential)
    {
        Dictionary<string, string> detail = new() { ["helper"] = credential.Helper! };
        string message = $"The server does not accept the token of login helper '{credential.Helper}'.";
        if (credential.Expires is DateTimeOffset expires && expires <= DateTimeOffset.UtcNow)
        {
            string time = expires.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            detail["expired"] = time;
            message = $"Login helper '{credential.Helper}' gave a token that expired at {time}.";
        }

        return new EngineException(Causes.Unauthorized, message) { StatusCode = 401, Detail = detail };
    }

    private async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, Credential credential, CancellationToken ct)
    {
        request.Version = HttpVersion.Version11;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        request.Headers.TryAddWithoutValidation("User-Agent", "PyDebug");
        if (credential.Authorization is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", credential.Authorization);
        }

        foreach (KeyValuePair<string, string> header in _settings.Headers)
        {
            request.Headers.TryAddWithoutValidation(header.Key, header.Value);
        }

        try
        {
            return await Invoker(credential).SendAsync(request, ct).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw Failed(e);
        }
        catch (IOException e)
        {
            throw Failed(new HttpRequestException(e.Message, e));
        }
    }

    private EngineException Failed(HttpRequestException e)
    {
        string server = _settings.Server.GetLeftPart(UriPartial.Authority);
        if (e.HttpRequestError == HttpRequestError.SecureConnectionError
            || e.InnerException is System.Security.Authentication.AuthenticationException)
        {
            string why = _tls.LastFailure is string failure
                ? $"its certificate is refused: {failure}"
                : "the TLS handshake failed";
            return new EngineException(Causes.TlsFailed, $"Server {server} is not trusted: {why}.", e);
        }

        string reason = e.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => "its name cannot be resolved",
            HttpRequestError.ConnectionError => "no connection could be made",
            HttpRequestError.ProxyTunnelError => "the proxy does not lead there",
            _ => "the connection was cut",
        };
        return new EngineException(Causes.ConnectionFailed, $"Server {server} cannot be reached: {reason}.", e)
        {
            Retryable = true,
        };
    }

    private HttpMessageInvoker Invoker(Credential credential)
    {
        lock (_lock)
        {
            if (_invoker is not null && ReferenceEquals(_invokerCredential?.Certificate, credential.Certificate))
            {
                return _invoker;
            }

            if (_invoker is not null)
            {
                _retired.Add(_invoker);
            }

            _invokerCredential = credential;
            return _invoker = new HttpMessageInvoker(Handler(credential));
        }
    }

    private SocketsHttpHandler Handler(Credential credential)
    {
        SslClientAuthenticationOptions tls = _tls.Options(credential);
        SocketsHttpHandler handler = new()
        {
            SslOptions = tls,
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.All,
            ConnectTimeout = s_connectTimeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            // A proxy from the environment is for the way out, as in Go's ProxyFromEnvironment.
            UseProxy = _settings.Proxy is not null || !_settings.Server.IsLoopback,
            ConnectCallback = async (context, ct) =>
            {
                NetworkStream stream = await ConnectAsync(context.DnsEndPoint, ct).ConfigureAwait(false);
                return _settings.TlsServerName is null || _settings.Server.Scheme != "https"
                    ? stream
                    : await SecureAsync(stream, tls, ct).ConfigureAwait(false);
            },
        };
        if (_settings.Proxy is not null)
        {
            handler.Proxy = Proxy(_settings.Proxy);
        }
        else if (_settings.TlsServerName is not null)
        {
            handler.UseProxy = false;
        }

        return handler;
    }

    private static WebProxy Proxy(Uri address)
    {
        WebProxy proxy = new(address);
        if (address.UserInfo.Length > 0)
        {
            string[] parts = address.UserInfo.Split(':', 2);
            proxy.Credentials = new NetworkCredential(
                Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : string.Empty);
        }

        return proxy;
    }

    private static async Task<NetworkStream> ConnectAsync(DnsEndPoint endPoint, CancellationToken ct)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            // .NET 8 has no time limit for a WebSocket's peer, so the kernel looks after the connection.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 20);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 10);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
            await socket.ConnectAsync(endPoint, ct).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<Stream> SecureAsync(
        NetworkStream stream, SslClientAuthenticationOptions options, CancellationToken ct)
    {
        SslStream secure = new(stream);
        try
        {
            await secure.AuthenticateAsClientAsync(options, ct).ConfigureAwait(false);
            return secure;
        }
        catch
        {
            await secure.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}
