using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>
/// Opens an exec connection. The upgrade is an ordinary request, so a refusal's body can be read and its TLS, proxy
/// and credentials are those of every other request.
/// </summary>
internal sealed class ExecConnector
{
    private const string KeySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(30);

    private readonly Transport _transport;

    public ExecConnector(Transport transport) => _transport = transport;

    /// <summary>
    /// Connects with protocol v4, whose losses show, and with v5, whose losses do not, only where v4 is refused. As
    /// nothing was sent by then, it is tried again while the server is away or busy.
    /// </summary>
    /// <param name="request">What to run.</param>
    /// <param name="within">How long it is tried.</param>
    /// <param name="ct">Stops it.</param>
    public async Task<ExecSession> ConnectAsync(ExecRequest request, TimeSpan within, CancellationToken ct)
    {
        Patience patience = new(_transport.Settings.Health, within);
        while (true)
        {
            try
            {
                return await OnceAsync(request, ExecChannels.V4, ct).ConfigureAwait(false)
                    ?? await OnceAsync(request, ExecChannels.V5, ct).ConfigureAwait(false)
                    ?? throw new EngineException(
                        Causes.ProtocolError,
                        "The server speaks neither version 4 nor version 5 of the exec protocol.");
            }
            catch (EngineException e) when (Patience.MayPass(e))
            {
                await patience.PauseAsync(e, ct).ConfigureAwait(false);
            }
        }
    }

    private async Task<ExecSession?> OnceAsync(ExecRequest request, string protocol, CancellationToken ct)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            return await UpgradeAsync(request, protocol, limit, ct).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new EngineException(
                Causes.Timeout, $"The exec connection was not made within {s_connectTimeout.TotalSeconds:0} s.")
            {
                Detail = ApiErrors.FixedLimit,
                Retryable = true,
            };
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new EngineException(Causes.ConnectionFailed, "The exec connection was cut while it was made.", e)
            {
                Retryable = true,
            };
        }
    }

    private async Task<ExecSession?> UpgradeAsync(
        ExecRequest request, string protocol, CancellationTokenSource limit, CancellationToken ct)
    {
        string key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(16));
        long begun = Stopwatch.GetTimestamp();
        HttpResponseMessage response = await _transport
            .SendAsync(() => Message(request, protocol, key), limit, s_connectTimeout, ct).ConfigureAwait(false);
        _transport.Settings.Health.Trace?.Invoke(string.Create(
            CultureInfo.InvariantCulture,
            $"Exec in pod '{request.Namespace}/{request.PodName}' by {protocol}: HTTP {(int)response.StatusCode} in "
            + $"{Stopwatch.GetElapsedTime(begun).TotalMilliseconds:0} ms."));
        try
        {
            if (response.StatusCode != HttpStatusCode.SwitchingProtocols)
            {
                ApiStatus status = await RestClient.ReadStatusAsync(response, limit.Token).ConfigureAwait(false);
                return ProtocolRefused(status) && protocol == ExecChannels.V4 ? null : throw Refused(status, request);
            }

            if (Header(response, "Sec-WebSocket-Protocol") != protocol)
            {
                return null;
            }

            if (Header(response, "Sec-WebSocket-Accept") != Accept(key))
            {
                throw new EngineException(
                    Causes.ProtocolError, "The server's answer to the upgrade does not fit the request.");
            }

            Stream stream = await response.Content.ReadAsStreamAsync(limit.Token).ConfigureAwait(false);
            // Keep-alives of the socket would reach a server that has closed, and cost what is still on the way.
            WebSocketCreationOptions options = new() { SubProtocol = protocol, KeepAliveInterval = TimeSpan.Zero };
            WebSocket socket = WebSocket.CreateFromStream(stream, options);
            ExecSession session = new(socket, response);
            response = null!;
            return session;
        }
        finally
        {
            response?.Dispose();
        }
    }

    private HttpRequestMessage Message(ExecRequest request, string protocol, string key)
    {
        HttpRequestMessage message = new(HttpMethod.Get, _transport.Address(request.Path));
        message.Headers.TryAddWithoutValidation("Connection", "Upgrade");
        message.Headers.TryAddWithoutValidation("Upgrade", "websocket");
        message.Headers.TryAddWithoutValidation("Sec-WebSocket-Version", "13");
        message.Headers.TryAddWithoutValidation("Sec-WebSocket-Key", key);
        message.Headers.TryAddWithoutValidation("Sec-WebSocket-Protocol", protocol);
        return message;
    }

    private static string? Header(HttpResponseMessage response, string name)
        => response.Headers.TryGetValues(name, out System.Collections.Generic.IEnumerable<string>? values)
            ? string.Join(",", values)
            : null;

    private static string Accept(string key)
        => Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + KeySuffix)));

    /// <summary>An answer that no API server gives on its own behalf comes from a handshake that failed.</summary>
    private static bool ProtocolRefused(ApiStatus status)
        => status.Code == 400 || (status.Code == 403 && !status.FromApi)
            || (status.Code == 500 && status.Message.Contains("protocol", StringComparison.OrdinalIgnoreCase));

    private static EngineException Refused(ApiStatus status, ExecRequest request)
    {
        string doing = $"exec in container '{request.Container}' of pod '{request.Namespace}/{request.PodName}'";
        string said = status.Message.Trim().TrimEnd('.');
        return status.Code switch
        {
            >= 400 and < 500 when AdmissionRefusal.IsPolicy(status.Message) => ApiErrors.Make(
                Causes.AdmissionDenied,
                status,
                $"Admission in namespace '{request.Namespace}' refuses to {doing}: {said}.",
                new() { ["exec"] = "true" }),
            500 or 502 or 503 or 504 when IsKubeletAway(status.Message) => ApiErrors.Make(
                Causes.NodeUnreachable,
                status,
                $"The API server does not reach the kubelet of the pod's node (to {doing}): {said}."),
            403 => ApiErrors.Make(
                Causes.Forbidden,
                status,
                $"The server does not allow to {doing}; it takes the verbs get and create on pods/exec."),
            401 or 404 or 429 or 502 or 503 or 504 => ApiErrors.From(status, doing),
            _ => ApiErrors.Make(
                Causes.ExecFailed, status, $"The server refused to {doing} (HTTP {status.Code}): {said}."),
        };
    }

    /// <summary>What API servers and their tunnels say where they cannot dial a node.</summary>
    private static bool IsKubeletAway(string message)
        => message.Contains("error dialing backend", StringComparison.Ordinal)
            || message.Contains("dial tcp", StringComparison.Ordinal)
            || message.Contains("No agent available", StringComparison.Ordinal);
}
