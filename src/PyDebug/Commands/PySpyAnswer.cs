using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Errors;
using PyDebug.Internal;
using PyDebug.Tools.PySpy;

namespace PyDebug.Commands;

/// <summary>
/// Takes the answer of one pod: for each run of py-spy what the agent says of it, the file, and the file's hash. Files
/// wait on disk, since a recording may be large.
/// </summary>
internal sealed class PySpyAnswer(AgentRun run, PySpyOptions options) : IDisposable
{
    private readonly PySpyTop _top = new();

    private readonly string _path = Path.Join(Path.GetTempPath(), $"pydebug-{Guid.NewGuid():n}");

    private PySpyResult? _result;

    private FileStream? _file;

    /// <summary>Takes a result; false says that it could not be read.</summary>
    public async ValueTask<bool> OnResultAsync(JsonElement item, CancellationToken ct)
    {
        switch (item.Text("kind"))
        {
            case "tool":
                _result = PySpyResult.Parse(item);
                _file?.Dispose();
                _file = Create(_path);
                return _result is not null;
            case "fileEnd" when _result is PySpyResult result && _file is FileStream file:
                _result = null;
                await CompleteAsync(result, file, item.Text("sha256"), ct).ConfigureAwait(false);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Takes a part of the file.</summary>
    public async ValueTask OnFileAsync(ReadOnlyMemory<byte> chunk, CancellationToken ct)
    {
        if (_file is not null)
        {
            await _file.WriteAsync(chunk, ct).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        _file?.Dispose();
        File.Delete(_path);
    }

    private async Task CompleteAsync(PySpyResult result, FileStream file, string? sha256, CancellationToken ct)
    {
        file.Position = 0;
        string hash = Convert.ToHexString(await SHA256.HashDataAsync(file, ct).ConfigureAwait(false));
        file.Position = 0;
        try
        {
            if (!hash.Equals(sha256, StringComparison.OrdinalIgnoreCase))
            {
                throw new InvalidDataException("It has another hash than the file in the pod.");
            }

            await WriteAsync(result, file, ct).ConfigureAwait(false);
        }
        catch (InvalidDataException e)
        {
            PyDebugException failure = ErrorFactory.Local(
                AgentCause.ToolOutputInvalid,
                $"What py-spy {result.Version} wrote about process {result.ProcessId} cannot be read. {e.Message}",
                run.Session.Target(result.ProcessId),
                new Dictionary<string, string> { ["advice"] = $"It was kept as '{Keep(result, file)}'." });
            await run.Writer.WriteErrorAsync(failure.ErrorRecord, ct).ConfigureAwait(false);
        }
    }

    private async Task WriteAsync(PySpyResult result, FileStream file, CancellationToken ct)
    {
        DateTime now = DateTime.UtcNow;
        if (options.Mode == PySpyOptions.Dump)
        {
            IReadOnlyList<PyThreadStack> threads =
                PySpyDump.Parse(file, result, run.Session, options.NonBlocking, now);
            await run.Writer.WriteAllAsync(threads, ct).ConfigureAwait(false);
            return;
        }

        StackProfile profile = PySpyProfile.Parse(file, result, run.Session, options, now);
        if (options.Mode == PySpyOptions.Top)
        {
            await run.Writer.WriteAllAsync(_top.Add(profile, result), ct).ConfigureAwait(false);
            return;
        }

        // The agent told of an exit and of a lower rate when they happened; -NonBlocking was warned of before.
        foreach (string warning in profile.Warnings.Where(w => !IsTold(w)))
        {
            await run.Writer.WriteWarningAsync($"{run.Session.Target()}: {warning}", ct).ConfigureAwait(false);
        }

        await run.Writer.WriteObjectAsync(profile, ct).ConfigureAwait(false);

        bool IsTold(string warning)
            => warning.Contains("ended while", StringComparison.Ordinal)
                || warning.Contains("many threads", StringComparison.Ordinal)
                || warning.Contains("-NonBlocking", StringComparison.Ordinal);
    }

    /// <summary>What a process is doing is for the user's own eyes.</summary>
    private static FileStream Create(string path)
    {
        FileStreamOptions options = new() { Mode = FileMode.Create, Access = FileAccess.ReadWrite };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(path, options);
    }

    private string Keep(PySpyResult result, FileStream file)
    {
        file.Flush();
        string kept = Path.Join(Path.GetTempPath(), $"pydebug-py-spy-{result.ProcessId}-{Guid.NewGuid():n}.json");
        File.Copy(_path, kept);
        return kept;
    }
}
