namespace PyDebug.Commands;

/// <summary>The files that captures are kept in.</summary>
/// <param name="keep">Where they go; null where they are not kept.</param>
internal sealed class MemrayFiles(ReportPath? keep)
{
    /// <summary>Whether captures are needed at all.</summary>
    public bool NeedCapture => keep is not null;

    /// <summary>Whether there is room for one process alone.</summary>
    public bool IsOne => keep?.IsOne == true;

    /// <summary>Starts to receive the capture of a report.</summary>
    /// <exception cref="PyDebugException">No file can be made there.</exception>
    public LocalFile Create(MemrayReport report, out string path)
    {
        path = keep!.For(report);
        return LocalFile.Create(path, keep.Replace, report.Target());
    }
}
