using System.Globalization;

namespace PyDebug.Internal;

/// <summary>What the view of a top's functions has its cells from.</summary>
internal static class PySpyDisplay
{
    /// <summary>The heading above an interval's functions.</summary>
    public static string Heading(PyTopSample row)
        => Display.Pod(row)
            + string.Create(CultureInfo.InvariantCulture, $"  process {row.ProcessId}  {row.Timestamp:HH:mm:ss} UTC");
}
