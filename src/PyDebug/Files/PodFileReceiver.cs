using System;
using System.Globalization;
using System.IO;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Receives a file of a pod, or the files of a folder in one stream. Where the connection is cut, it goes on from what
/// is there already.
/// </summary>
/// <param name="run">The request.</param>
/// <param name="options">What is copied, and where to.</param>
internal sealed class PodFileReceiver(AgentRun run, PodFileOptions options) : IDisposable
{
    /// <summary>The most files of one folder.</summary>
    public const int MostFiles = 100_000;

    private const string Source = "device,inode,size,mtime";

    private const long TicksToNanoseconds = 100;

    private readonly PodTarget _target = run.Session.Target();

    private readonly LeftOut _left = new(options.Path, run.Writer, run.Session.Target());

    private readonly LocalFolder _folder = new(options.Local, run.Session.Target());

    private readonly TransferProgress _progress = new(run.Show);

    private LocalFile? _file;

    private FileBudget? _dropped;

    private JsonObject _source = [];

    private string _path = "";

    private string _place = "";

    private string? _after;

    private string? _tree;

    private bool _ended;

    private int _files;

    private long _moved;

    /// <summary>Receives all of it.</summary>
    /// <exception cref="PyDebugException">It did not come, or only in part.</exception>
    public async Task RunAsync(CancellationToken ct)
    {
        await new TransferTries(run).RunAsync(AskAsync, () => _moved, ct).ConfigureAwait(false);
        if (_tree is not null)
        {
            DropFile("gone");
            _left.ThrowIfAny(_files);
        }

        if (!_ended && !run.HasFailed)
        {
            throw ErrorFactory.Local(LocalCause.ResultInvalid, $"The end of '{options.Path}' did not come.", _target);
        }
    }

    public void Dispose() => _file?.Dispose();

    private async Task AskAsync(int number, TimeSpan within, CancellationToken ct)
    {
        JsonObject body = new()
        {
            ["path"] = options.Path,
            ["target"] = options.FromTarget,
            ["recurse"] = options.Recurse,
            ["exclude"] = new JsonArray([.. Array.ConvertAll(options.Exclude, e => (JsonNode)e)]),
        };
        if (number > 0)
        {
            body["resume"] = Resume();
        }

        try
        {
            await run.AskAsync(
                Operations.Get, body, OnResultAsync, ct, onFile: OnFileAsync, within: within).ConfigureAwait(false);
        }
        catch (EngineException e) when (_ended && TransferTries.IsCut(e))
        {
            // All of it is here, and its hash was right.
        }
    }

    private JsonObject Resume()
    {
        JsonObject resume = _file is null ? [] : _source.DeepClone().AsObject();
        resume["after"] = _after;
        if (_file is not null)
        {
            resume["path"] = _path;
            resume["offset"] = _file.Length;
            resume["sha256"] = _file.Hash();
        }

        _dropped = null;
        return resume;
    }

    private async ValueTask<bool> OnResultAsync(JsonElement item, CancellationToken ct)
    {
        string path = item.RawText("path") ?? "";
        switch (item.Text("kind"))
        {
            case "tree" when options.Recurse:
                Begin(item);
                return true;
            case "left" when _tree is not null && path.Length > 0:
                DropFile("changed", path);
                _left.Add(path, item.Text("why") ?? "");
                return true;
            case "file" when _tree is not null == path.Length > 0:
                return Take(item, path);
            case "fileEnd" when path == _path:
                await CompleteAsync(item, ct).ConfigureAwait(false);
                return true;
            case "end":
                _ended = _ended || _tree is not null;
                if (item.Number("cpu") is double cpu)
                {
                    await run.Writer.WriteVerboseAsync(
                        string.Create(
                            CultureInfo.InvariantCulture, $"{_target}: {cpu:0.00} s of CPU time, at nice 19."), ct)
                        .ConfigureAwait(false);
                }

                return true;
            default:
                return false;
        }
    }

    /// <summary>Takes what a folder holds: nothing of it is written before all of it is known to have room.</summary>
    private void Begin(JsonElement item)
    {
        long files = item.Long("files") ?? -1;
        long size = item.Long("bytes") ?? -1;
        string tree = $"{files} {size}";
        if (_tree is not null)
        {
            if (tree != _tree)
            {
                run.Writer.WarnOnce(
                    $"{_target}: '{options.Path}' changed while it was copied: what was copied before "
                        + "the cut is as it was then.");
            }

            return;
        }

        if (files is < 0 or > MostFiles || size < 0)
        {
            throw new LimitExceededException(
                $"The debug container has a folder for this side that is larger than {MostFiles} files.");
        }

        // A place that nothing can be written to has no room either, and is told of as what it is.
        _folder.Create();
        try
        {
            FileBudget.Begin($"'{_folder.Path}'", Path.GetDirectoryName(_folder.Path), size, long.MaxValue, _target);
        }
        catch
        {
            _folder.Undo();
            throw;
        }

        _tree = tree;
        _progress.Total = size;
    }

    private bool Take(JsonElement item, string path)
    {
        long size = item.Long("size") ?? -1;
        long offset = item.Long("offset") ?? 0;
        if (_file is not null && path == _path && offset > 0)
        {
            return offset == _file.Length;
        }

        DropFile("gone", path);
        if (size < 0 || offset != 0 || (_tree is null && _ended))
        {
            return false;
        }

        _path = path;
        _source = [];
        foreach (string name in Source.Split(','))
        {
            _source[name] = item.Long(name) ?? 0;
        }

        if (_tree is null)
        {
            _place = options.Local;
            _progress.Total = size;
            _file = Open(size);
            return true;
        }

        try
        {
            _place = _folder.Place(path, out string why) ?? "";
            if (_place.Length > 0)
            {
                _file = Open(size);
                return true;
            }

            _left.Add(path, why);
        }
        catch (PyDebugException e) when (!IsFatal(e))
        {
            _left.Add(path, e.ErrorRecord.ErrorDetails.Message);
        }

        // It comes all the same.
        _dropped = FileBudget.Begin($"'{path}'", folder: null, size, long.MaxValue, _target, checkHeadroom: false);
        return true;
    }

    private LocalFile Open(long size)
    {
        LocalFile file = LocalFile.Create(_place, !options.NoClobber, _target);
        try
        {
            file.Expect(size, long.MaxValue);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private ValueTask OnFileAsync(ReadOnlyMemory<byte> chunk, CancellationToken ct)
    {
        if (_file is LocalFile file)
        {
            file.Write(chunk.Span);
        }
        else
        {
            (_dropped
                ?? throw new LimitExceededException("The debug container sent bytes of a file that nobody asked for."))
                .Add(chunk.Length);
        }

        _moved += chunk.Length;
        _progress.Note(_moved, _path.Length > 0 ? _path : Path.GetFileName(_place));
        return ValueTask.CompletedTask;
    }

    private async Task CompleteAsync(JsonElement item, CancellationToken ct)
    {
        _dropped = null;
        if (_file is LocalFile file)
        {
            try
            {
                file.Publish(item.Long("size") ?? file.Length, item.Text("sha256"), Modified());
            }
            catch (PyDebugException e) when (_tree is not null && !IsFatal(e))
            {
                _left.Add(_path, e.ErrorRecord.ErrorDetails.Message);
                file.Dispose();
                _file = null;
                _after = _path;
                return;
            }

            file.Dispose();
            _file = null;
            _files++;
            await run.Writer.WriteFileAsync(_place, ct).ConfigureAwait(false);
        }

        _after = _path;
        _ended = _ended || _tree is null;
    }

    /// <summary>When the file was written to last; null where that is no time.</summary>
    private DateTime? Modified()
    {
        long ticks = (_source["mtime"]?.GetValue<long>() ?? 0) / TicksToNanoseconds;
        return ticks > 0 && ticks < (DateTime.MaxValue - DateTime.UnixEpoch).Ticks
            ? DateTime.UnixEpoch.AddTicks(ticks)
            : null;
    }

    /// <summary>Gives up a file that is here in part, and says so of one that will not come any more.</summary>
    private void DropFile(string why, string? next = null)
    {
        if (_file is null)
        {
            return;
        }

        _file.Dispose();
        _file = null;
        if (_tree is not null && _path != next)
        {
            _left.Add(_path, why);
        }
    }

    private static bool IsFatal(PyDebugException e)
        => e.ErrorRecord.FullyQualifiedErrorId.Split(',')[0] is ErrorId.DiskFull or ErrorId.LimitExceeded;
}
