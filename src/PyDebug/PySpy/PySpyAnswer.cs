using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
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

    private const long LargestDump = 64L << 20;

    private const long LargestRecording = 1L << 30;

    private const int MostKept = 3;

    private readonly FileStream _file = TemporaryFile.Create();

    private readonly HashSet<int> _doubted = [];

    private readonly HashSet<int> _idle = [];

    private PySpyResult? _result;

    private FileBudget? _budget;

    private int _kept;

    /// <summary>Takes a result; false says that it could not be read.</summary>
    public async ValueTask<bool> OnResultAsync(JsonElement item, CancellationToken ct)
    {
        switch (item.Text("kind"))
        {
            case "tool":
                _result = PySpyResult.Parse(item);
                _file.SetLength(0);
                _budget = FileBudget.Begin(
                    "What py-spy wrote",
                    folder: null,
                    item.Long("size"),
                    options.Mode == PySpyOptions.Dump ? LargestDump : LargestRecording,
                    run.Session.Target(_result?.ProcessId));
                return _result is not null;
            case "fileEnd" when _result is PySpyResult result:
                _result = null;
                await CompleteAsync(result, _file, item.Text("sha256"), ct).ConfigureAwait(false);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Takes a part of the file.</summary>
    public async ValueTask OnFileAsync(ReadOnlyMemory<byte> chunk, CancellationToken ct)
    {
        (_budget ?? throw new LimitExceededException("The debug container sent a file that it had not announced."))
            .Add(chunk.Length);
        await _file.WriteAsync(chunk, ct).ConfigureAwait(false);
    }

    public void Dispose() => _file.Dispose();

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
                LocalCause.ToolOutputInvalid,
                $"What py-spy {result.Version} wrote about process {result.ProcessId} cannot be read. {e.Message}",
                run.Session.Target(result.ProcessId),
                Keep(result, file) is string kept
                    ? new Dictionary<string, string> { ["advice"] = $"It was kept as '{kept}'." }
                    : null);
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
            if (threads.Count == 0)
            {
                await run.Writer.WriteWarningAsync(
                    $"{run.Session.Target(result.ProcessId)}: py-spy saw no thread that runs Python. Get-PyStack reads "
                    + "it by other means.",
                    ct).ConfigureAwait(false);
            }

            await run.Writer.WriteAllAsync(threads, ct).ConfigureAwait(false);
            return;
        }

        StackProfile profile = PySpyProfile.Parse(file, result, run.Session, options, now);
        if (options.Mode == PySpyOptions.Top)
        {
            IReadOnlyList<PyTopSample> rows = _top.Add(profile, result);
            await run.Writer.WriteAllAsync(rows, ct).ConfigureAwait(false);
            if (rows.Count == 0 && _idle.Add(result.ProcessId))
            {
                await run.Writer.WriteWarningAsync(
                    $"{Interval(result)}{PySpyProfile.Idle($"Process {result.ProcessId}", samples: 0, options)}",
                    ct).ConfigureAwait(false);
            }

            if (PySpyPlausibility.Check(profile, result.Rate ?? options.SampleRate) is string wrong
                && _doubted.Add(result.ProcessId))
            {
                await run.Writer.WriteWarningAsync(Interval(result) + wrong, ct).ConfigureAwait(false);
            }

            return;
        }

        foreach (PySpyWarning warning in PySpyProfile.Warnings(profile, result, options).Where(w => !IsTold(w)))
        {
            await run.Writer.WriteWarningAsync($"{run.Session.Target()}: {warning.Text}", ct).ConfigureAwait(false);
        }

        await run.Writer.WriteObjectAsync(profile, ct).ConfigureAwait(false);

        // The agent told of an exit and of a lower rate when they happened.
        bool IsTold(PySpyWarning warning)
            => warning.IsTold || (warning.AgentId is string id && run.HasWarned(id, result.ProcessId));
    }

    private string Interval(PySpyResult result) => string.Create(
        CultureInfo.InvariantCulture, $"{run.Session.Target(result.ProcessId)}, interval {result.Sequence + 1}: ");

    /// <summary>Keeps what cannot be read, for the user's own eyes; of many files the first alone.</summary>
    private string? Keep(PySpyResult result, FileStream file)
    {
        if (_kept++ >= MostKept || file.Length > LargestDump)
        {
            return null;
        }

        using FileStream copy = TemporaryFile.CreateKept($"py-spy-{result.ProcessId}", ".json");
        file.Position = 0;
        file.CopyTo(copy);
        return copy.Name;
    }
}
