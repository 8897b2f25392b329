using System;
using System.IO;

namespace PyDebug.Internal;

/// <summary>How wide a view that lays itself out may be.</summary>
internal static class ViewWidth
{
    private const int Widest = 119;

    private const int Narrowest = 79;

    private const int Usual = 80;

    /// <summary>
    /// How many cells more than 80 a line of a table has: PowerShell lays tables out by the window, where they are
    /// captured or written to a file as well.
    /// </summary>
    public static int Beyond() => Math.Max(0, Window() - Usual);

    /// <summary>The cells of a line in the window, within bounds.</summary>
    public static int Whole()
    {
        // What is written to a file or captured has no window.
        int width = Console.IsOutputRedirected ? 0 : Window();
        return width <= 0 ? Widest : Math.Clamp(width - 1, Narrowest, Widest);
    }

    private static int Window()
    {
        try
        {
            return Console.BufferWidth;
        }
        catch (Exception e) when (e is IOException or PlatformNotSupportedException)
        {
            return 0;
        }
    }
}
