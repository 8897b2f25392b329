using System;
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
    private const int Attempts = 4;
    private const int ConnectionAttempts = 2;
    private const int MaxBody = 256 << 20;
    private const int MaxErrorBody = 64 << 10;
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(10);

    private readonly Transport _transport;

    public RestClient(Transport transport) => _transport = transport;

    public async Task<JsonObject> GetAsync(string path, string doing, CancellationToken ct)
    {
        byte[] body = await SendAsync(HttpMethod.Get, path, null, null, doing, true, ct).ConfigureAwait(false);
        return Parse(body, doing);
    }

    /// <summary>Sends a change. It is repeated only when the server says that it did not look at it.</summary>
    public async Task<JsonObject> SendAsync(
        HttpMethod method, string path, string mediaType, JsonObject content, string doing, CancellationToken ct)
    {
        byte[] json = Encoding.UTF8.GetBytes(content.ToJsonString());
        bool safe = path.Contains("dryRun=All", StringComparison.Ordinal);
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
        TimeSpan? pause = retry?.Delta ?? (retry?.Date is DateTimeOffset date ? date - DateTimeOffset.UtcNow : null);
        return ApiStatus.Read((int)response.StatusCode, body, pause);
    }

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
        for (int attempt = 1; ; attempt++)
        {
            EngineException failure;
            TimeSpan? pause = null;
            try
            {
                using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
                limit.CancelAfter(_transport.Settings.RequestTimeout);
                try
                {
                    using HttpResponseMessage response = await _transport
                        .SendAsync(() => Request(method, path, mediaType, content), limit.Token).ConfigureAwait(false);
                    if (response.IsSuccessStatusCode)
                    {
                        return await ReadBodyAsync(response, MaxBody, limit.Token).ConfigureAwait(false);
                    }

                    ApiStatus status = await ReadStatusAsync(response, limit.Token).ConfigureAwait(false);
                    failure = ApiErrors.From(status, doing);
                    pause = status.RetryAfter;
                }
                catch (OperationCanceledException) when (!ct.IsCancellationRequested)
                {
                    double seconds = _transport.Settings.RequestTimeout.TotalSeconds;
                    throw new EngineException(
                        Causes.Timeout, $"The server did not answer within {seconds:0} s (to {doing}).");
                }
                catch (Exception e) when (e is IOException or HttpRequestException)
                {
                    throw new EngineException(
                        Causes.ConnectionFailed, $"The connection was cut while the server answered (to {doing}).", e)
                    {
                        Retryable = true,
                    };
                }
            }
            catch (EngineException e)
            {
                failure = e;
            }

            bool untouched = failure.StatusCode == 429;
            int attempts = failure.Cause == Causes.ConnectionFailed ? ConnectionAttempts : Attempts;
            if (attempt >= attempts || !failure.Retryable || !(safe || untouched))
            {
                throw failure;
            }

            await PauseAsync(pause, attempt, failure, ct).ConfigureAwait(false);
        }
    }

    private static async Task PauseAsync(TimeSpan? asked, int attempt, EngineException failure, CancellationToken ct)
    {
        double usual = 200 * Math.Pow(2, attempt - 1) * (0.75 + Random.Shared.NextDouble() / 2);
        TimeSpan pause = asked ?? TimeSpan.FromMilliseconds(usual);
        if (pause > s_longestPause)
        {
            throw failure;
        }

        await Task.Delay(pause > TimeSpan.Zero ? pause : TimeSpan.Zero, ct).ConfigureAwait(false);
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
