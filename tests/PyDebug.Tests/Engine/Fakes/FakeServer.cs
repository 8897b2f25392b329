using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading.Tasks;

namespace PyDebug.Tests.Engine;

/// <summary>An HTTP/1.1 server on loopback, with TLS, whose every answer a test scripts.</summary>
internal sealed class FakeServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<FakeRequest, FakeConnection, Task> _answer;
    private readonly X509Certificate2? _certificate;
    private readonly bool _askClient;
    private readonly ConcurrentBag<TcpClient> _clients = [];
    private readonly ConcurrentQueue<Exception> _failures = new();

    public FakeServer(
        Func<FakeRequest, FakeConnection, Task> answer, X509Certificate2? certificate = null, bool askClient = false)
    {
        _answer = answer;
        _certificate = certificate;
        _askClient = askClient;
        _listener.Start();
        _ = Task.Run(AcceptAsync);
    }

    public ConcurrentQueue<FakeRequest> Requests { get; } = new();

    /// <summary>How far its clock is ahead of this machine's; null where it does not say.</summary>
    public TimeSpan? Ahead { get; set; }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Address => $"{(_certificate is null ? "http" : "https")}://127.0.0.1:{Port}";

    /// <summary>Waits until something is so, for a minute at most.</summary>
    public static async Task UntilAsync(Func<bool> condition)
    {
        for (long begun = Environment.TickCount64; !condition(); await Task.Delay(20))
        {
            if (Environment.TickCount64 - begun > 60_000)
            {
                throw new TimeoutException("What the test waits for did not happen within a minute.");
            }
        }
    }

    /// <summary>
    /// Ends it, and fails where an answer did: whatever the client made of that is not what was tested.
    /// </summary>
    public void Dispose()
    {
        _listener.Stop();
        foreach (TcpClient client in _clients)
        {
            client.Dispose();
        }

        if (_failures.TryPeek(out Exception? failure))
        {
            throw new InvalidOperationException($"The test's own answer failed: {failure.Message}", failure);
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync();
                _clients.Add(client);
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            client.NoDelay = true;
            Stream stream = client.GetStream();
            if (_certificate is not null)
            {
                SslStream secure = new(stream, false, (_, _, _, _) => true);
                await secure.AuthenticateAsServerAsync(_certificate, _askClient, false);
                stream = secure;
            }

            FakeConnection connection = new(client, stream) { Ahead = Ahead };
            while (connection.Reusable && await ReadAsync(stream) is FakeRequest request)
            {
                Requests.Enqueue(request);
                await _answer(request, connection);
            }

            client.Close();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException
            or System.Security.Authentication.AuthenticationException)
        {
        }
        catch (Exception e)
        {
            // A client that is stopped says something else than what was due, or asks a second time; that fails no
            // test.
            if (e is not (InvalidDataException or InvalidOperationException or OperationCanceledException))
            {
                _failures.Enqueue(e);
            }

            client.Close();
        }
    }

    private static async Task<FakeRequest?> ReadAsync(Stream stream)
    {
        List<byte> head = [];
        byte[] one = new byte[1];
        while (head.Count < 4 || !head[^4..].SequenceEqual("\r\n\r\n"u8.ToArray()))
        {
            if (await stream.ReadAsync(one) == 0)
            {
                return null;
            }

            head.Add(one[0]);
        }

        string[] lines = Encoding.ASCII.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Dictionary<string, string> headers = lines.Skip(1).Select(l => l.Split(':', 2))
            .GroupBy(p => p[0].ToLowerInvariant())
            .ToDictionary(g => g.Key, g => string.Join(",", g.Select(p => p[1].Trim())));
        byte[] body = new byte[int.Parse(headers.GetValueOrDefault("content-length", "0"))];
        await stream.ReadExactlyAsync(body);
        string[] first = lines[0].Split(' ');
        return new() { Method = first[0], Target = first[1], Headers = headers, Body = body };
    }
}
