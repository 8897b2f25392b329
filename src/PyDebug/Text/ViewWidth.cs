using System;
using System.Management.Automation.Host;

namespace PyDebug.Internal;

/// <summary>How wide a view that lays itself out may be.</summary>
internal static class ViewWidth
{
    private const int Widest = 119;

    private const int Narrowest = 79;

    private const int Usual = 80;

    /// <summary>
    /// How many cells more than 80 a line of a table has: PowerShell lays tables out by the host's window, where they
    /// are captured or written to a file as well.
    /// </summary>
    public static int Beyond(PSHost? host)
    {
        try
        {
            return Math.Max(0, (host?.UI?.RawUI?.BufferSize.Width ?? 0) - Usual);
        }
        catch (Exception e) when (e is HostException or NotImplementedException or NotSupportedException)
        {
            return 0;
        }
    }

    /// <summary>The cells of a line in the host's window, within bounds.</summary>
    public static int Of(PSHost? host)
    {
        try
        {
            // What is written to a file or captured has no window.
            int width = Console.IsOutputRedirected ? 0 : host?.UI?.RawUI?.BufferSize.Width ?? 0;
            return width <= 0 ? Widest : Math.Clamp(width - 1, Narrowest, Widest);
        }
        catch (Exception e) when (e is HostException or NotImplementedException or NotSupportedException)
        {
            return Widest;
        }
    }
}
