using System;
using System.Globalization;
using System.Linq;
using System.Net;

namespace PyDebug.Engine;

/// <summary>
/// The proxy that the environment names for a server, by the rules of Go's <c>golang.org/x/net/http/httpproxy</c>,
/// which are kubectl's: <c>HTTPS_PROXY</c>, and what <c>NO_PROXY</c> leaves out. .NET reads no address ranges there.
/// </summary>
internal static class ProxyEnvironment
{
    /// <summary>The proxy for an https server; null for the direct way.</summary>
    /// <param name="server">The server.</param>
    /// <param name="variable">Reads a variable of the environment.</param>
    /// <exception cref="EngineException">The variable holds no address of a proxy.</exception>
    public static ServerProxy? For(Uri server, Func<string, string?> variable)
    {
        string name = string.IsNullOrEmpty(variable("HTTPS_PROXY")) ? "https_proxy" : "HTTPS_PROXY";
        string? value = variable(name)?.Trim();
        if (string.IsNullOrEmpty(value) || server.Scheme != "https" || IsLocal(server.Host))
        {
            return null;
        }

        string? exceptions = variable("NO_PROXY");
        if (IsExcepted(server, string.IsNullOrEmpty(exceptions) ? variable("no_proxy") : exceptions))
        {
            return null;
        }

        return new(
            ServerProxy.Parse(value) ?? throw new EngineException(
                Causes.KubeconfigInvalid, $"Variable {name} of the environment is no http, https or socks5 address."),
            name);
    }

    private static bool IsLocal(string host)
        => host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (Address(host) is IPAddress address && IPAddress.IsLoopback(address));

    private static bool IsExcepted(Uri server, string? exceptions)
    {
        string host = server.Host.Trim('[', ']').TrimEnd('.').ToLowerInvariant();
        IPAddress? address = Address(host);
        return (exceptions ?? string.Empty)
            .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Any(e => Matches(e.ToLowerInvariant(), host, address, server.Port));
    }

    private static bool Matches(string entry, string host, IPAddress? address, int port)
    {
        if (entry == "*")
        {
            return true;
        }

        if (IPNetwork.TryParse(entry, out IPNetwork network))
        {
            return address is not null && network.Contains(address);
        }

        int colon = entry.LastIndexOf(':');
        bool bare = Address(entry) is not null;
        if (!bare && colon >= 0)
        {
            if (!int.TryParse(entry[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int wanted)
                || wanted != port)
            {
                return false;
            }

            entry = entry[..colon];
        }

        if (Address(entry) is IPAddress one)
        {
            return one.Equals(address);
        }

        // A name stands for what is below it too; with a dot before it, for that alone.
        string name = entry.StartsWith("*.", StringComparison.Ordinal) ? entry[1..] : entry;
        return name.StartsWith('.')
            ? name.Length > 1 && host.EndsWith(name, StringComparison.Ordinal)
            : name.Length > 0 && (host == name || host.EndsWith("." + name, StringComparison.Ordinal));
    }

    private static IPAddress? Address(string host)
        => IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address)
            ? address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address
            : null;
}
