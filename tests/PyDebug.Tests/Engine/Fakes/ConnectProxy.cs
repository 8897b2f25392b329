using System;
using System.Collections.Concurrent;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Tasks;

namespace PyDebug.Tests.Engine;

/// <summary>A proxy that leads every CONNECT to one port of this machine.</summary>
internal sealed class ConnectProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _target;
    private readonly string? _refusal;

    /// <param name="target">The port.</param>
    /// <param name="refusal">What it answers instead; null for a way.</param>
    public ConnectProxy(int target, string? refusal = null)
    {
        _target = target;
        _refusal = refusal;
        _listener.Start();
        _ = Task.Run(AcceptAsync);
    }

    public ConcurrentQueue<string> Asked { get; } = new();

    /// <summary>The heads of those requests, whole.</summary>
    public ConcurrentQueue<string> Heads { get; } = new();

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public void Dispose() => _listener.Stop();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync();
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using TcpClient upstream = new();
        try
        {
            NetworkStream near = client.GetStream();
            StringBuilder head = new();
            byte[] one = new byte[1];
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await near.ReadAsync(one) > 0)
            {
                head.Append((char)one[0]);
            }

            Asked.Enqueue(head.ToString().Split("\r\n")[0]);
            Heads.Enqueue(head.ToString());
            if (_refusal is not null)
            {
                await near.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {_refusal}\r\nContent-Length: 0\r\n\r\n"));
                return;
            }

            await upstream.ConnectAsync(IPAddress.Loopback, _target);
            await near.WriteAsync("HTTP/1.1 200 ok\r\n\r\n"u8.ToArray());
            NetworkStream far = upstream.GetStream();
            await Task.WhenAny(near.CopyToAsync(far), far.CopyToAsync(near));
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
        }
        finally
        {
            client.Dispose();
        }
    }
}
