using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>JSON requests with a time limit, repeated where that is safe.</summary>
internal sealed class RestClient
{
    private const int MaxBody = 256 << 20;
    private const int MaxErrorBody = 64 << 10;

    private static readonly TimeSpan s_moment = TimeSpan.FromSeconds(2);

    private readonly Transport _transport;
    private readonly TimeSpan? _patience;
    private readonly long? _until;

    public RestClient(Transport transport) => _transport = transport;

    private RestClient(Transport transport, TimeSpan? patience, long? until)
        : this(transport)
    {
        _patience = patience;
        _until = until;
    }

    /// <summary>What is wrong with the server since its last good answer; null where nothing is.</summary>
    public string? Outage => _transport.Settings.Health.Outage;

    /// <summary>The time by the server's clock.</summary>
    public DateTime Now => _transport.Settings.Health.Now;

    private TimeSpan Limit
    {
        get
        {
            TimeProvider clock = _transport.Settings.Health.Clock;
            return _until is long until
                ? clock.GetElapsedTime(clock.GetTimestamp(), until)
                : _patience ?? _transport.Settings.Patience;
        }
    }

    /// <summary>
    /// A client that waits out failures until <paramref name="time"/> from now, all of its requests together.
    /// </summary>
    public RestClient Within(TimeSpan time)
    {
        TimeProvider clock = _transport.Settings.Health.Clock;
        return new(_transport, null, clock.GetTimestamp() + (long)(time.TotalSeconds * clock.TimestampFrequency));
    }

    /// <summary>A client for what can be done without: it waits out failures of a moment.</summary>
    public RestClient Briefly() => new(_transport, s_moment, null);

    public async Task<JsonObject> GetAsync(string path, string doing, CancellationToken ct)
    {
        byte[] body = await SendAsync(HttpMethod.Get, path, null, null, doing, true, ct).ConfigureAwait(false);
        return Parse(body, doing);
    }

    /// <summary>
    /// Sends a change. It is repeated only where the server did not look at it, or where it changes nothing.
    /// </summary>
    public async Task<JsonObject> SendAsync(
        HttpMethod method, string path, string mediaType, JsonObject content, string doing, CancellationToken ct)
    {
        byte[] json = Encoding.UTF8.GetBytes(content.ToJsonString());
        bool safe = path.Contains("dryRun=All", StringComparison.Ordinal)
            || path.Contains("/selfsubject", StringComparison.Ordinal);
        byte[] body = await SendAsync(method, path, mediaType, json, doing, safe, ct).ConfigureAwait(false);
        return Parse(body, doing);
    }

    /// <summary>Reads a bounded body; a longer one is cut.</summary>
    public static async Task<byte[]> ReadBodyAsync(HttpResponseMessage response, int limit, CancellationToken ct)
    {
        using Stream stream = await response.Content.ReadAsStreamAsync(ct).ConfigureAwait(false);
        MemoryStream body = new();
        byte[] buffer = new byte[64 << 10];
        int read;
        while (body.Length < limit && (read = await stream.ReadAsync(buffer, ct).ConfigureAwait(false)) > 0)
        {
            body.Write(buffer, 0, (int)Math.Min(read, limit - body.Length));
        }

        return body.ToArray();
    }

    public static async Task<ApiStatus> ReadStatusAsync(HttpResponseMessage response, CancellationToken ct)
    {
        byte[] body = await ReadBodyAsync(response, MaxErrorBody, ct).ConfigureAwait(false);
        RetryConditionHeaderValue? retry = response.Headers.RetryAfter;
        TimeSpan? pause = retry?.Delta ?? (retry?.Date is DateTimeOffset date
            ? date - (response.Headers.Date ?? DateTimeOffset.UtcNow)
            : null);
        return ApiStatus.Read((int)response.StatusCode, body, pause);
    }

    public Patience NewPatience() => new(_transport.Settings.Health, Limit);

    private static JsonObject Parse(byte[] body, string doing)
        => KubeJson.ParseObject(body)
            ?? throw new EngineException(Causes.RequestFailed, $"The server's answer is no JSON object (to {doing}).");

    private async Task<byte[]> SendAsync(
        HttpMethod method,
        string path,
        string? mediaType,
        byte[]? content,
        string doing,
        bool safe,
        CancellationToken ct)
    {
        Patience patience = NewPatience();
        while (true)
        {
            try
            {
                return await OnceAsync(method, path, mediaType, content, doing, ct).ConfigureAwait(false);
            }
            catch (EngineException e) when (e.Retryable && (safe || e.NotSent || e.StatusCode == 429))
            {
                await patience.PauseAsync(e, ct).ConfigureAwait(false);
            }
        }
    }

    private async Task<byte[]> OnceAsync(
        HttpMethod method, string path, string? mediaType, byte[]? content, string doing, CancellationToken ct)
    {
        TimeSpan timeout = _transport.Settings.RequestTimeout;
        long begun = Stopwatch.GetTimestamp();
        string came = "no answer";
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            using HttpResponseMessage response = await _transport
                .SendAsync(() => Request(method, path, mediaType, content), limit, timeout, ct).ConfigureAwait(false);
            came = $"HTTP {(int)response.StatusCode}";
            if (!response.IsSuccessStatusCode)
            {
                throw ApiErrors.From(await ReadStatusAsync(response, limit.Token).ConfigureAwait(false), doing);
            }

            byte[] body = await ReadBodyAsync(response, MaxBody, limit.Token).ConfigureAwait(false);
            _transport.Settings.Health.Heard(well: true);
            return body;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            // A connection has less time than an answer.
            TimeSpan waited = Stopwatch.GetElapsedTime(begun);
            double seconds = (waited < timeout ? waited : timeout).TotalSeconds;
            throw new EngineException(Causes.Timeout, $"The server did not answer within {seconds:0} s (to {doing}).")
            {
                Detail = ApiErrors.FixedLimit,
                Retryable = true,
            };
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new EngineException(
                Causes.ConnectionFailed, $"The connection was cut while the server answered (to {doing}).", e)
            {
                Retryable = true,
            };
        }
        finally
        {
            _transport.Settings.Health.Trace?.Invoke(string.Create(
                CultureInfo.InvariantCulture,
                $"{method} {path}: {came} in {Stopwatch.GetElapsedTime(begun).TotalMilliseconds:0} ms (to {doing})."));
        }
    }

    private HttpRequestMessage Request(HttpMethod method, string path, string? mediaType, byte[]? content)
    {
        HttpRequestMessage request = new(method, _transport.Address(path));
        request.Headers.Accept.Add(new("application/json"));
        if (content is not null)
        {
            request.Content = new ByteArrayContent(content);
            request.Content.Headers.ContentType = new(mediaType!);
        }

        return request;
    }
}
