using System.ComponentModel;
using System.Globalization;
using System.Management.Automation;

namespace PyDebug.Internal;

/// <summary>What the view of a top's functions calls. Everything returned is safe to show.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class PySpyDisplay
{
    /// <summary>The heading above an interval's functions.</summary>
    /// <param name="item">One of the interval's rows.</param>
    /// <returns>One line.</returns>
    public static string Heading(PSObject item)
    {
        PyTopSample row = RecordReader.As<PyTopSample>(item);
        return SafeText.Line(string.Create(
            CultureInfo.InvariantCulture,
            $"{row.Namespace}/{row.PodName}/{row.ContainerName}  process {row.ProcessId}  {row.Timestamp:HH:mm:ss} UTC"));
    }
}
