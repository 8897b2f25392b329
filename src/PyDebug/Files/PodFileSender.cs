using System;
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

namespace PyDebug.Commands;

/// <summary>
/// Sends a file into a debug container, or the files of a folder in one stream. Where the connection is cut, it goes on
/// from what is there already.
/// </summary>
/// <param name="run">The request.</param>
/// <param name="options">What is copied, and where to.</param>
/// <param name="tree">The files.</param>
/// <param name="isFolder">Whether they are those of a folder.</param>
internal sealed class PodFileSender(AgentRun run, PodFileOptions options, LocalTree tree, bool isFolder)
{
    private const int TokenBytes = 16;

    private readonly string _token = Convert.ToHexString(RandomNumberGenerator.GetBytes(TokenBytes)).ToLowerInvariant();

    private readonly LeftOut _left = new(options.Local, run.Writer, run.Session.Target());

    private readonly TransferProgress _progress = new(run.Show) { Total = tree.Size };

    private int _next;

    private int _files;

    private long _moved;

    private long _stored;

    /// <summary>Sends all of it.</summary>
    /// <exception cref="PyDebugException">It did not arrive, or only in part.</exception>
    public async Task RunAsync(CancellationToken ct)
    {
        foreach ((string path, string why) in tree.Left)
        {
            _left.Add(path, why);
        }

        await new TransferTries(run).RunAsync(AskAsync, () => _stored, ct).ConfigureAwait(false);
        if (run.HasFailed)
        {
            return;
        }

        _left.ThrowIfAny(_files);
        if (_files < tree.Files.Count)
        {
            throw ErrorFactory.Local(
                LocalCause.ResultInvalid, $"The debug container did not say that '{options.Path}' is there.",
                run.Session.Target());
        }
    }

    private async Task AskAsync(int number, TimeSpan within, CancellationToken ct)
    {
        JsonObject body = new()
        {
            ["path"] = options.Path,
            ["folder"] = isFolder,
            ["files"] = tree.Files.Count,
            ["bytes"] = tree.Size,
            ["overwrite"] = options.Overwrite,
            ["token"] = _token,
            ["try"] = number,
            ["resume"] = _next < tree.Files.Count ? tree.Files[_next].Path : null,
        };
        try
        {
            await run.AskAsync(
                Operations.Put, body, OnResultAsync, ct, provide: ProvideAsync, within: within).ConfigureAwait(false);
        }
        catch (EngineException e) when (_next == tree.Files.Count && _next > 0 && TransferTries.IsCut(e))
        {
            // All of it is there: of each file that was said when it had its name.
        }
    }

    private Task<Stream?> ProvideAsync(JsonObject need, CancellationToken ct)
    {
        bool same = _next < tree.Files.Count && KubeJson.Text(need, "path") is string path
            && path == tree.Files[_next].Path;
        long have = same ? KubeJson.Integer(need, "have") ?? 0 : 0;
        // What was taken over counts as progress: the next cut is another one.
        _stored = Math.Max(_stored, _next + have);
        _moved = Math.Max(_moved, have);
        return Task.FromResult<Stream?>(new TreeStream(
            tree.Files,
            _next,
            Math.Max(0, have),
            KubeJson.Text(need, "sha256"),
            (count, name) =>
            {
                _moved += count;
                _progress.Note(_moved, name.Length > 0 ? name : Path.GetFileName(options.Local));
            },
            _left.Add));
    }

    private async ValueTask<bool> OnResultAsync(JsonElement item, CancellationToken ct)
    {
        string path = item.RawText("path") ?? "";
        switch (item.Text("kind"))
        {
            case "fileEnd" when Pass(path):
                _files++;
                return true;
            case "left" when isFolder && Pass(path):
                _left.Add(path, item.Text("why") ?? "");
                return true;
            case "end":
                if (item.Number("cpu") is double cpu)
                {
                    await run.Writer.WriteVerboseAsync(
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{run.Session.Target()}: {cpu:0.00} s of CPU time, at nice 19."),
                        ct).ConfigureAwait(false);
                }

                return true;
            default:
                return false;
        }
    }

    /// <summary>Goes behind a file that was dealt with; false where it is none that was sent.</summary>
    private bool Pass(string path)
    {
        for (int number = _next; number < tree.Files.Count; number++)
        {
            if (tree.Files[number].Path == path)
            {
                _next = number + 1;
                _stored++;
                return true;
            }
        }

        return false;
    }
}
