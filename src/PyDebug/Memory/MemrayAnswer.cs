using System;
using System.Globalization;
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
/// <param name="run">The request.</param>
/// <param name="files">Where captures go.</param>
/// <param name="history">What is remembered of reports.</param>
/// <param name="most">The most bytes of one capture that are taken.</param>
internal sealed class MemrayAnswer(AgentRun run, MemrayFiles files, MemrayHistory history, long most) : IDisposable
{
    private long _left;

    private MemrayReport? _pending;

    private LocalFile? _file;

    private string _path = "";

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
                await ReceiveAsync(item.Long("size"), ct).ConfigureAwait(false);
                return true;
            case "fileEnd":
                await CompleteAsync(item.Long("size"), item.Text("sha256"), ct).ConfigureAwait(false);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Takes a part of a file.</summary>
    public async ValueTask OnFileAsync(ReadOnlyMemory<byte> chunk, CancellationToken ct)
    {
        _left -= chunk.Length;
        if (_left < 0)
        {
            throw new LimitExceededException("The debug container sent more of a capture than it had announced.");
        }

        if (_file is not LocalFile file)
        {
            return;
        }

        try
        {
            file.Write(chunk.Span);
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

        _pending = report;
        if (!files.NeedCapture)
        {
            await FlushAsync(ct).ConfigureAwait(false);
        }

        return true;
    }

    private async Task ReceiveAsync(long? size, CancellationToken ct)
    {
        if (size is null or < 0 || size > most)
        {
            throw new LimitExceededException(string.Create(
                CultureInfo.InvariantCulture,
                $"The debug container has a capture of {size:#,0} bytes for this side, which takes {most:#,0}."));
        }

        _left = size.Value;
        if (_pending is not MemrayReport report || !files.NeedCapture)
        {
            return;
        }

        try
        {
            _file = files.Create(report, out _path);
            _file.Expect(size, most);
        }
        catch (PyDebugException e)
        {
            await run.Writer.WriteErrorAsync(e.ErrorRecord, ct).ConfigureAwait(false);
        }
    }

    private async Task CompleteAsync(long? size, string? sha256, CancellationToken ct)
    {
        if (_file is LocalFile file && _pending is MemrayReport report)
        {
            try
            {
                file.Publish(size, sha256);
                _pending = report with { CapturePath = _path, CaptureBytes = size ?? report.CaptureBytes };
            }
            catch (PyDebugException e)
            {
                await run.Writer.WriteErrorAsync(e.ErrorRecord, ct).ConfigureAwait(false);
            }
        }

        await FlushAsync(ct).ConfigureAwait(false);
    }

    private void DropFile()
    {
        _file?.Dispose();
        _file = null;
    }
}
