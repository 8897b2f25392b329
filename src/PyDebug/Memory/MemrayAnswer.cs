using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Takes the answer of one pod: a report for each process and, where they were asked for, the captures behind all
/// reports. A report is written whatever becomes of its capture.
/// </summary>
/// <param name="run">The request.</param>
/// <param name="files">Where captures go.</param>
/// <param name="history">What is remembered of reports.</param>
/// <param name="most">The most bytes of one capture that are taken.</param>
internal sealed class MemrayAnswer(AgentRun run, MemrayFiles files, MemrayHistory history, long most) : IDisposable
{
    private long _left;

    /// <summary>Those whose captures have not come yet, as the agent told of them.</summary>
    private readonly List<MemrayReport> _pending = [];

    private MemrayReport? _report;

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
                return await TakeAsync(
                    MemrayParser.Parse(item, run.Session, DateTime.UtcNow), ct).ConfigureAwait(false);
            case "file":
                await ReceiveAsync(item.Integer("pid"), item.Long("size"), ct).ConfigureAwait(false);
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

    /// <summary>Writes the reports whose captures did not come.</summary>
    public async Task FlushAsync(CancellationToken ct)
    {
        DropFile();
        while (_pending.Count > 0)
        {
            await WriteAsync(_pending[0], _pending[0], ct).ConfigureAwait(false);
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

        _pending.Add(report);
        if (!files.NeedCapture)
        {
            await FlushAsync(ct).ConfigureAwait(false);
        }

        return true;
    }

    private async Task ReceiveAsync(int? processId, long? size, CancellationToken ct)
    {
        if (size is null or < 0 || size > most)
        {
            throw new LimitExceededException(string.Create(
                CultureInfo.InvariantCulture,
                $"The debug container has a capture of {size:#,0} bytes for this side, which takes {most:#,0}."));
        }

        DropFile();
        _left = size.Value;
        _report = files.NeedCapture ? _pending.Find(r => r.ProcessId == processId) : null;
        if (_report is null)
        {
            return;
        }

        try
        {
            _file = files.Create(_report, out _path);
            _file.Expect(size, most);
        }
        catch (PyDebugException e)
        {
            DropFile();
            await run.Writer.WriteErrorAsync(e.ErrorRecord, ct).ConfigureAwait(false);
        }
    }

    private async Task CompleteAsync(long? size, string? sha256, CancellationToken ct)
    {
        if (_report is not MemrayReport report)
        {
            return;
        }

        MemrayReport whole = report;
        if (_file is LocalFile file)
        {
            try
            {
                file.Publish(size, sha256);
                whole = report with { CapturePath = _path, CaptureBytes = size ?? report.CaptureBytes };
            }
            catch (PyDebugException e)
            {
                await run.Writer.WriteErrorAsync(e.ErrorRecord, ct).ConfigureAwait(false);
            }
        }

        DropFile();
        _report = null;
        await WriteAsync(report, whole, ct).ConfigureAwait(false);
    }

    private async Task WriteAsync(MemrayReport pending, MemrayReport written, CancellationToken ct)
    {
        _pending.Remove(pending);
        await run.Writer.WriteObjectAsync(written, ct).ConfigureAwait(false);
    }

    private void DropFile()
    {
        _file?.Dispose();
        _file = null;
    }
}
