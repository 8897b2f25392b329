using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Errors;
using PyDebug.Internal;
using PyDebug.Tools.Memray;

namespace PyDebug.Commands;

/// <summary>A capture that was kept: it is read by a pod's payload, or by a memray on this machine.</summary>
/// <param name="file">The capture.</param>
/// <param name="options">How large a report may become.</param>
/// <param name="files">What is made of captures besides.</param>
internal sealed class MemrayCapture(FileInfo file, MemrayOptions options, MemrayFiles files)
{
    /// <summary>The file of that path.</summary>
    /// <exception cref="PyDebugException">There is none.</exception>
    public static FileInfo Find(string path)
    {
        FileInfo file = new(path);
        return file.Exists
            ? file
            : throw ErrorFactory.Local(LocalCause.SourceInvalid, $"There is no file '{file.FullName}'.");
    }

    /// <summary>Lets a pod's payload read it, and writes the report.</summary>
    /// <exception cref="PyDebugException">It cannot be read.</exception>
    public async Task ReadThereAsync(AgentRun run, CancellationToken ct)
    {
        MemrayPayload payload = MemrayPayload.Find();
        JsonObject body = new()
        {
            ["capture"] = new JsonObject { ["size"] = file.Length, ["sha256"] = await HashAsync(ct).ConfigureAwait(false) },
            ["sha256"] = payload.Hashes(),
        };
        options.WriteCaps(body);
        using MemrayAnswer answer = new(run, files, MemrayHistory.Shared);
        try
        {
            await run.AskAsync(
                "memrayRead",
                body,
                async (item, stop) => item.Text("kind") == "memrayRead"
                    ? await TakeAsync(item, answer, stop).ConfigureAwait(false)
                    : await answer.OnResultAsync(item, stop).ConfigureAwait(false),
                ct,
                answer.OnFileAsync,
                (need, stop) => (string?)need["name"] == "capture"
                    ? Task.FromResult<Stream?>(file.OpenRead())
                    : payload.OpenAsync(need, stop)).ConfigureAwait(false);
        }
        finally
        {
            if (!ct.IsCancellationRequested)
            {
                await answer.FlushAsync(ct).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Lets a memray on this machine read it, and writes the report.</summary>
    /// <exception cref="PyDebugException">There is none, or it cannot be read.</exception>
    public async Task ReadHereAsync(PipelineWriter writer, CancellationToken ct)
    {
        LocalMemray memray = await LocalMemray.FindAsync(version: null, ct).ConfigureAwait(false)
            ?? throw ErrorFactory.Local(
                AgentCause.ToolUnavailable,
                "-CapturePath without a session needs a whole memray on this machine, and none was found.",
                detail: new Dictionary<string, string>
                {
                    ["advice"] = "A session of any pod whose Python is of the capture's version reads it, too; "
                        + "pip install memray has one here.",
                });
        using JsonDocument? answer = await memray.ReadAsync(file.FullName, options, ct).ConfigureAwait(false);
        MemrayReport report = (answer is null
            ? null
            : MemrayParser.ParseRead(answer.RootElement, file.FullName, file.Length, DateTime.UtcNow))
            ?? throw ErrorFactory.Local(
                AgentCause.CaptureInvalid, $"What was made of '{file.FullName}' could not be read.");
        await WarnAsync(writer, report, ct).ConfigureAwait(false);
        MemrayReport complete = await files.DrawAsync(report, file.FullName, ct).ConfigureAwait(false);
        await writer.WriteObjectAsync(complete, ct).ConfigureAwait(false);
    }

    private async ValueTask<bool> TakeAsync(JsonElement item, MemrayAnswer answer, CancellationToken ct)
    {
        MemrayReport? report = MemrayParser.ParseRead(item, file.FullName, file.Length, DateTime.UtcNow);
        if (report is null)
        {
            return false;
        }

        await WarnAsync(answer.Writer, report, ct).ConfigureAwait(false);
        MemrayReport complete = await files.DrawAsync(report, file.FullName, ct).ConfigureAwait(false);
        await answer.HoldAsync(complete, keepsCapture: false, ct).ConfigureAwait(false);
        return true;
    }

    /// <summary>Refuses a report of a capture that is cut, and says what is to be said of others.</summary>
    private async Task WarnAsync(PipelineWriter writer, MemrayReport report, CancellationToken ct)
    {
        if (MemrayParser.IsCut(report))
        {
            throw ErrorFactory.Local(
                AgentCause.CaptureInvalid,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{file.FullName}' is cut: it ends before the {report.DurationSeconds:0.0} s that it is of."));
        }

        foreach (string warning in report.Warnings)
        {
            await writer.WriteWarningAsync(warning, ct).ConfigureAwait(false);
        }
    }

    private async Task<string> HashAsync(CancellationToken ct)
    {
        FileStream stream = file.OpenRead();
        await using (stream.ConfigureAwait(false))
        {
            return Convert.ToHexString(await SHA256.HashDataAsync(stream, ct).ConfigureAwait(false)).ToLowerInvariant();
        }
    }
}
