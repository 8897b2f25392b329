using System;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Takes the answer of one pod: a report for each process and, where it was asked for, the capture behind it. A report
/// is written whatever becomes of its capture.
/// </summary>
internal sealed class MemrayAnswer(AgentRun run, MemrayFiles files, MemrayHistory history) : IDisposable
{
    /// <summary>What the agent calls memray's own flame graph.</summary>
    private const string Picture = "html";

    private MemrayReport? _pending;

    private LocalFile? _file;

    private string _path = "";

    private bool _keepsCapture;

    /// <summary>Where reports are written to.</summary>
    public PipelineWriter Writer => run.Writer;

    /// <summary>Whether a process ended while it was tracked.</summary>
    public bool HasLost { get; private set; }

    /// <summary>Takes a result; false says that it could not be read.</summary>
    public async ValueTask<bool> OnResultAsync(JsonElement item, CancellationToken ct)
    {
        switch (item.Text("kind"))
        {
            case "memray":
                await FlushAsync(ct).ConfigureAwait(false);
                return await TakeAsync(MemrayParser.Parse(item, run.Session, DateTime.UtcNow), ct).ConfigureAwait(false);
            case "file":
                await ReceiveAsync(item.Text("file") == Picture ? files.CreatePicture : files.Create, ct)
                    .ConfigureAwait(false);
                return true;
            case "fileEnd":
                bool picture = item.Text("file") == Picture;
                await CompleteAsync(picture, item.Long("size"), item.Text("sha256"), ct).ConfigureAwait(false);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Holds a report back until the files that belong to it have come: a picture first, then the capture.</summary>
    public async Task HoldAsync(MemrayReport report, bool keepsCapture, CancellationToken ct)
    {
        _pending = report;
        _keepsCapture = keepsCapture;
        if (!files.IsDrawnThere && !keepsCapture)
        {
            await FlushAsync(ct).ConfigureAwait(false);
        }
    }

    /// <summary>Takes a part of a file.</summary>
    public async ValueTask OnFileAsync(ReadOnlyMemory<byte> chunk, CancellationToken ct)
    {
        if (_file is not LocalFile file)
        {
            return;
        }

        try
        {
            await file.WriteAsync(chunk, ct).ConfigureAwait(false);
        }
        catch (PyDebugException e)
        {
            // The rest of it comes all the same; the report is worth having without.
            DropFile();
            await run.Writer.WriteErrorAsync(e.ErrorRecord, ct).ConfigureAwait(false);
        }
    }

    /// <summary>Writes a report whose capture did not come.</summary>
    public async Task FlushAsync(CancellationToken ct)
    {
        DropFile();
        if (_pending is MemrayReport report)
        {
            _pending = null;
            await run.Writer.WriteObjectAsync(report, ct).ConfigureAwait(false);
        }
    }

    public void Dispose() => DropFile();

    private async Task<bool> TakeAsync(MemrayReport? report, CancellationToken ct)
    {
        if (report is null)
        {
            return false;
        }

        history.Add(run.Session, report);
        HasLost |= report.EndReason == MemrayWarnings.Exited;
        // The agent told of an early end when it came.
        foreach (string warning in report.Warnings.Except(MemrayWarnings.OfEnd(report)))
        {
            await run.Writer.WriteWarningAsync($"{run.Session.Target()}: {warning}", ct).ConfigureAwait(false);
        }

        await HoldAsync(report, files.NeedCapture, ct).ConfigureAwait(false);
        return true;
    }

    private delegate LocalFile Creation(MemrayReport report, out string path);

    private async Task ReceiveAsync(Creation create, CancellationToken ct)
    {
        if (_pending is not MemrayReport report)
        {
            return;
        }

        try
        {
            _file = create(report, out _path);
        }
        catch (PyDebugException e)
        {
            await run.Writer.WriteErrorAsync(e.ErrorRecord, ct).ConfigureAwait(false);
        }
    }

    private async Task CompleteAsync(bool picture, long? size, string? sha256, CancellationToken ct)
    {
        if (_file is LocalFile file && _pending is MemrayReport report)
        {
            try
            {
                file.Publish(size, sha256);
                _pending = picture
                    ? report with { HtmlPath = _path }
                    : await files.CompleteAsync(report with { CaptureBytes = size ?? report.CaptureBytes }, _path, ct)
                        .ConfigureAwait(false);
            }
            catch (PyDebugException e)
            {
                await run.Writer.WriteErrorAsync(e.ErrorRecord, ct).ConfigureAwait(false);
            }
        }

        DropFile();
        if (!picture || !_keepsCapture)
        {
            await FlushAsync(ct).ConfigureAwait(false);
        }
    }

    private void DropFile()
    {
        _file?.Dispose();
        _file = null;
    }
}
