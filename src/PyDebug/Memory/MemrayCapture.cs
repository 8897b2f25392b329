using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;
using PyDebug.Tools.Memray;

namespace PyDebug.Commands;

/// <summary>A capture that was kept: it is read in a debug container, by the payload that is carried there.</summary>
/// <param name="file">The capture.</param>
/// <param name="options">How large a report may become.</param>
/// <param name="payload">What reads it.</param>
internal sealed class MemrayCapture(FileInfo file, MemrayOptions options, MemrayPayload payload)
{
    /// <summary>The file of that path.</summary>
    /// <exception cref="PyDebugException">There is none, or it can be no capture.</exception>
    public static FileInfo Find(string path)
    {
        FileInfo file = new(path);
        if (!file.Exists)
        {
            throw ErrorFactory.Local(LocalCause.SourceInvalid, $"There is no file '{file.FullName}'.");
        }

        try
        {
            using FileStream stream = file.OpenRead();
            return MemrayFile.WhyNone(stream) is string reason ? throw Invalid(file, reason) : file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw ErrorFactory.Local(LocalCause.SourceInvalid, $"'{file.FullName}' cannot be read: {e.Message}");
        }
    }

    private static PyDebugException Invalid(FileInfo file, string reason)
        => ErrorFactory.Local(
            AgentCause.CaptureInvalid,
            string.Create(CultureInfo.InvariantCulture, $"'{file.FullName}' ({file.Length:#,0} bytes) {reason}"));

    /// <summary>Lets a session's debug container read it, and writes the report.</summary>
    /// <exception cref="PyDebugException">It cannot be read.</exception>
    public async Task ReadAsync(AgentRun run, CancellationToken ct)
    {
        JsonObject body = new()
        {
            ["capture"] =
                new JsonObject { ["size"] = file.Length, ["sha256"] = await HashAsync(ct).ConfigureAwait(false) },
            ["sha256"] = payload.Hashes(),
        };
        options.WriteCaps(body);
        string? words = null;
        await run.AskAsync(
            Operations.MemrayRead,
            body,
            (item, stop) => TakeAsync(item, run.Writer, stop),
            ct,
            provide: (need, stop) => KubeJson.Text(need, "name") == "capture"
                ? Task.FromResult<Stream?>(file.OpenRead())
                : payload.OpenAsync(need, stop),
            onFailure: (cause, failure) =>
            {
                words = cause == AgentCause.CaptureInvalid ? failure.ErrorRecord.ErrorDetails.Message : null;
                return words is not null;
            }).ConfigureAwait(false);
        if (words is not null)
        {
            throw Invalid(file, $"cannot be read: it was cut, or another version wrote it. {words}");
        }
    }

    private async ValueTask<bool> TakeAsync(JsonElement item, PipelineWriter writer, CancellationToken ct)
    {
        MemrayReport? report = MemrayParser.ParseRead(item, file.FullName, file.Length, DateTime.UtcNow);
        if (report is null)
        {
            return false;
        }

        await WarnAsync(writer, report, ct).ConfigureAwait(false);
        await writer.WriteObjectAsync(report, ct).ConfigureAwait(false);
        return true;
    }

    /// <summary>Refuses a report of a capture that is cut, and says what is to be said of others.</summary>
    private async Task WarnAsync(PipelineWriter writer, MemrayReport report, CancellationToken ct)
    {
        if (MemrayParser.IsCut(report))
        {
            throw Invalid(file, string.Create(
                CultureInfo.InvariantCulture,
                $"is cut: it ends before the {report.DurationSeconds:0.0} s that it is of."));
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
