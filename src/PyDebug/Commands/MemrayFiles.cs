using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Commands;

/// <summary>The files that are made of captures which are brought here.</summary>
/// <param name="keep">Where captures are kept; null where they are not.</param>
/// <param name="html">Where memray's own flame graphs go; null where none are asked for.</param>
/// <param name="memray">What draws them here; null where a memray in the debug container has to.</param>
internal sealed class MemrayFiles(ReportPath? keep, ReportPath? html, LocalMemray? memray)
{
    /// <summary>Whether captures are needed at all.</summary>
    public bool NeedCapture => keep is not null || (html is not null && memray is not null);

    /// <summary>Whether the picture is to be drawn in the debug container.</summary>
    public bool IsDrawnThere => html is not null && memray is null;

    /// <summary>Whether there is room for one process alone.</summary>
    public bool IsOne => keep?.IsOne == true || html?.IsOne == true;

    /// <summary>Starts to receive the capture of a report.</summary>
    /// <exception cref="PyDebugException">No file can be made there.</exception>
    public LocalFile Create(MemrayReport report, out string path)
    {
        path = keep?.For(report) ?? Path.Join(Path.GetTempPath(), $"pydebug-{Guid.NewGuid():n}.bin");
        return LocalFile.Create(path, keep?.Replace == true, report.Target());
    }

    /// <summary>Starts to receive a picture that was drawn in the debug container.</summary>
    /// <exception cref="PyDebugException">No file can be made there.</exception>
    public LocalFile CreatePicture(MemrayReport report, out string path)
    {
        path = html!.For(report);
        return LocalFile.Create(path, html.Replace, report.Target());
    }

    /// <summary>Makes of a capture what was asked for, and says in the report where it is.</summary>
    public async Task<MemrayReport> CompleteAsync(MemrayReport report, string path, CancellationToken ct)
    {
        try
        {
            return await DrawAsync(keep is null ? report : report with { CapturePath = path }, path, ct)
                .ConfigureAwait(false);
        }
        finally
        {
            if (keep is null)
            {
                File.Delete(path);
            }
        }
    }

    /// <summary>Draws memray's own flame graph of a capture, where one is asked for.</summary>
    public async Task<MemrayReport> DrawAsync(MemrayReport report, string capture, CancellationToken ct)
    {
        if (html is null || memray is null)
        {
            return report;
        }

        string place = html.For(report);
        await memray.DrawAsync(capture, place, html.Replace, report.Target(), ct).ConfigureAwait(false);
        return report with { HtmlPath = place };
    }
}
