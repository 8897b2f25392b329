using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Sends requests to the one server, with credentials, over one pool of connections.</summary>
internal sealed class Transport : IDisposable
{
    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(10);

    private readonly ServerSettings _settings;
    private readonly TlsPolicy _tls;
    private readonly ProxyTunnel? _tunnel;
    private readonly object _lock = new();
    private readonly List<HttpMessageInvoker> _retired = [];
    private HttpMessageInvoker? _invoker;
    private Credential? _invokerCredential;

    public Transport(ServerSettings settings)
    {
        _settings = settings;
        _tls = new(settings);
        _tunnel = settings.Proxy is null || IsSocks ? null : new(settings.Proxy, ConnectAsync, s_connectTimeout);
    }

    public ServerSettings Settings => _settings;

    private bool IsEncrypted => _settings.Server.Scheme == "https";

    private bool IsSocks => _settings.Proxy?.Address.Scheme is "socks5" or "socks5h";

    /// <summary>Makes sure that there is a credential, whose helper takes its own time.</summary>
    public async Task LogInAsync(CancellationToken ct)
        => await _settings.Credentials.GetAsync(ct).ConfigureAwait(false);

    /// <summary>
    /// Sends a request made anew for each attempt. After a 401 the credential is renewed once where it can be.
    /// </summary>
    /// <param name="make">Makes the request.</param>
    /// <param name="limit">Ends the request; it runs while the server is asked, and not while a login helper
    /// is.</param>
    /// <param name="timeout">The time for one answer.</param>
    /// <param name="ct">Stops all of it.</param>
    /// <exception cref="EngineException">There was no answer, or the credential helper failed.</exception>
    public async Task<HttpResponseMessage> SendAsync(
        Func<HttpRequestMessage> make, CancellationTokenSource limit, TimeSpan timeout, CancellationToken ct)
    {
        Credential credential = await _settings.Credentials.GetAsync(ct).ConfigureAwait(false);
        limit.CancelAfter(timeout);
        HttpResponseMessage response = await SendAsync(make(), credential, limit.Token).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.Unauthorized)
        {
            return response;
        }

        limit.CancelAfter(Timeout.InfiniteTimeSpan);
        Credential? renewed;
        try
        {
            renewed = await _settings.Credentials.RefreshAsync(credential, ct).ConfigureAwait(false);
        }
        catch
        {
            response.Dispose();
            throw;
        }

        limit.CancelAfter(timeout);
        if (renewed is not null)
        {
            response.Dispose();
            credential = renewed;
            response = await SendAsync(make(), renewed, limit.Token).ConfigureAwait(false);
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
            _tunnel?.Dispose();
            (_settings.Credentials as IDisposable)?.Dispose();
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
            HttpResponseMessage response = await Invoker(credential).SendAsync(request, ct).ConfigureAwait(false);
            if (response.Headers.Date is DateTimeOffset date)
            {
                _settings.Health.Dated(date);
            }

            // An answer that is not whole is none yet.
            _settings.Health.Heard(well: (int)response.StatusCode is not (200 or 429 or 502 or 503 or 504));
            return response;
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
        if (Find<ProxyException>(e) is ProxyException proxy)
        {
            return new EngineException(
                Causes.ConnectionFailed, $"Server {server} cannot be reached: {proxy.Message}.", e)
            {
                Retryable = proxy.MayPass,
                NotSent = true,
                Detail = new Dictionary<string, string> { ["proxy"] = _settings.Proxy!.ToString() },
            };
        }

        bool secure = e.HttpRequestError == HttpRequestError.SecureConnectionError
            || e.InnerException is AuthenticationException;
        string? refused = secure ? _tls.LastFailure : null;
        if (secure && (refused is not null || Find<AuthenticationException>(e) is not null))
        {
            string why = refused is null ? "the TLS handshake failed" : $"its certificate is refused: {refused}";
            return new EngineException(Causes.TlsFailed, $"Server {server} is not trusted: {why}.", e)
            {
                NotSent = true,
            };
        }

        string reason = e.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => "its name cannot be resolved",
            HttpRequestError.ConnectionError => "no connection could be made",
            HttpRequestError.SecureConnectionError => "the connection was cut in the TLS handshake",
            HttpRequestError.ProxyTunnelError => $"proxy {_settings.Proxy} does not lead there",
            _ => "the connection was cut",
        };
        // A name that the resolver does not know at all is a wrong one, unless it was known a moment ago.
        bool unknown = Find<SocketException>(e)?.SocketErrorCode == SocketError.HostNotFound;
        return new EngineException(Causes.ConnectionFailed, $"Server {server} cannot be reached: {reason}.", e)
        {
            Retryable = !unknown || _settings.Health.Answered,
            NotSent = secure
                || e.HttpRequestError is HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError
                or HttpRequestError.ProxyTunnelError,
        };
    }

    private static T? Find<T>(Exception e)
        where T : Exception
    {
        for (Exception? inner = e; inner is not null; inner = inner.InnerException)
        {
            if (inner is T found)
            {
                return found;
            }
        }

        return null;
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
            UseProxy = IsSocks,
            ConnectCallback = async (context, ct) =>
            {
                Stream stream = _tunnel is null
                    ? await ConnectAsync(context.DnsEndPoint, ct).ConfigureAwait(false)
                    : await _tunnel.OpenAsync(context.DnsEndPoint, ct).ConfigureAwait(false);
                return _settings.TlsServerName is null || !IsEncrypted
                    ? stream
                    : await SecureAsync(stream, tls, ct).ConfigureAwait(false);
            },
        };
        if (IsSocks)
        {
            handler.Proxy = Socks(_settings.Proxy!.Address);
        }

        return handler;
    }

    private static WebProxy Socks(Uri address)
    {
        WebProxy proxy = new(new UriBuilder(address) { Scheme = "socks5" }.Uri);
        if (address.UserInfo.Length > 0)
        {
            string[] parts = address.UserInfo.Split(':', 2);
            proxy.Credentials = new NetworkCredential(
                Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : string.Empty);
        }

        return proxy;
    }

    private async Task<NetworkStream> ConnectAsync(DnsEndPoint endPoint, CancellationToken ct)
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
            if (!IsEncrypted && !IsLocal(socket.RemoteEndPoint))
            {
                // What is called localhost may have been given another address.
                throw new IOException($"{endPoint.Host} is not an address of this machine.");
            }

            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static bool IsLocal(EndPoint? end)
        => end is IPEndPoint { Address: IPAddress address }
            && IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);

    private static async Task<Stream> SecureAsync(
        Stream stream, SslClientAuthenticationOptions options, CancellationToken ct)
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
