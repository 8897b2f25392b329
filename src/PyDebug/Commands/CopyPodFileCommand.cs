using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Copies one file out of the debug container, or with <c>-ToContainer</c> into it, checked by its SHA-256. The
/// container's files are those of its image; the application's are below <c>/proc/PID/root</c>.
/// </summary>
[Cmdlet(VerbsCommon.Copy, "PodFile", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(FileInfo))]
public sealed class CopyPodFileCommand : SessionCommandBase
{
    private readonly HashSet<string> _taken = [];

    private string _local = "";

    private bool _refused;

    /// <summary>Copies ten minutes long at most, unless <c>-TimeoutSeconds</c> says otherwise.</summary>
    public CopyPodFileCommand() => TimeoutSeconds = 600;

    /// <inheritdoc/>
    [Parameter(
        Mandatory = true,
        ParameterSetName = SessionSet,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public override PodDebugSession[] Session { get; set; } = [];

    /// <summary>The file to copy. Brackets, stars and question marks are part of its name.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    [Alias("LiteralPath")]
    public string Path { get; set; } = "";

    /// <summary>
    /// Where to: a file, or a folder that the file keeps its name in. Without it the current folder. Into a container
    /// it is an absolute path; one that ends in a slash is a folder.
    /// </summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? Destination { get; set; }

    /// <summary>Copies a file of this machine into the debug container.</summary>
    [Parameter]
    public SwitchParameter ToContainer { get; set; }

    /// <summary>Replaces a file in the container.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Replaces no file on this machine.</summary>
    [Parameter]
    public SwitchParameter NoClobber { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        try
        {
            _local = ToContainer ? Source() : Target();
        }
        catch (PyDebugException e)
        {
            _refused = true;
            WriteError(e.ErrorRecord);
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (!_refused)
        {
            base.EndProcessing();
        }
    }

    private protected override Task AskAsync(AgentRun run, CancellationToken ct)
        => ToContainer ? SendAsync(run, ct) : ReceiveAsync(run, ct);

    private async Task ReceiveAsync(AgentRun run, CancellationToken ct)
    {
        PodTarget target = run.Session.Target();
        lock (_taken)
        {
            if (!_taken.Add(_local))
            {
                throw ErrorFactory.Local(
                    LocalCause.DestinationExists, $"Another pod's file was copied to '{_local}' just now.", target);
            }
        }

        if (!await run.Writer.ShouldProcessAsync(_local, $"Copy {Path} out of {target}", ct).ConfigureAwait(false))
        {
            return;
        }

        LocalFile file = LocalFile.Create(_local, !NoClobber, target);
        using (file)
        {
            long? size = null;
            string? sha256 = null;
            await run.AskAsync(
                "get",
                new JsonObject { ["path"] = Path },
                (item, _) =>
                {
                    if (item.Text("kind") == "fileEnd")
                    {
                        size = item.Long("size") ?? file.Length;
                        sha256 = item.Text("sha256");
                    }

                    return ValueTask.FromResult(true);
                },
                ct,
                onFile: file.WriteAsync).ConfigureAwait(false);
            if (sha256 is not null)
            {
                file.Publish(size, sha256);
                await run.Writer.WriteFileAsync(_local, ct).ConfigureAwait(false);
            }
            else if (!run.HasFailed)
            {
                throw ErrorFactory.Local(LocalCause.ResultInvalid, $"The end of '{Path}' did not come.", target);
            }
        }
    }

    private async Task SendAsync(AgentRun run, CancellationToken ct)
    {
        string name = Destination!.EndsWith('/') ? System.IO.Path.GetFileName(_local) : "";
        string destination = Destination + name;
        PodTarget target = run.Session.Target();
        if (!await run.Writer.ShouldProcessAsync(
            $"{target} {destination}", $"Copy {_local} into debug container", ct).ConfigureAwait(false))
        {
            return;
        }

        using FileStream file = Open(target);
        byte[] hash = await SHA256.HashDataAsync(file, ct).ConfigureAwait(false);
        file.Position = 0;
        await run.AskAsync(
            "put",
            new JsonObject
            {
                ["path"] = destination,
                ["size"] = file.Length,
                ["sha256"] = Convert.ToHexString(hash).ToLowerInvariant(),
                ["overwrite"] = Force.IsPresent,
            },
            (_, _) => ValueTask.FromResult(true),
            ct,
            provide: (_, _) => Task.FromResult<Stream?>(file)).ConfigureAwait(false);
    }

    private FileStream Open(PodTarget target)
    {
        try
        {
            return new FileStream(_local, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ErrorFactory.Local(LocalCause.SourceInvalid, $"'{_local}' cannot be read: {e.Message}", target);
        }
    }

    /// <summary>The file of this machine that is sent.</summary>
    private string Source()
    {
        string path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(Path);
        if (!File.Exists(path))
        {
            throw ErrorFactory.Local(LocalCause.SourceInvalid, $"'{path}' is not a file.");
        }

        if (Destination is null || !Destination.StartsWith('/'))
        {
            throw ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                "-ToContainer needs an absolute path of the container as -Destination.",
                detail: new Dictionary<string, string> { ["advice"] = "For example -Destination /tmp/" });
        }

        return path;
    }

    /// <summary>The file of this machine that is written.</summary>
    private string Target()
    {
        string name = Path[(Path.LastIndexOf('/') + 1)..];
        string destination = SessionState.Path.GetUnresolvedProviderPathFromPSPath(Destination ?? ".");
        bool folder = Directory.Exists(destination)
            || Destination?.EndsWith('/') == true
            || Destination?.EndsWith(System.IO.Path.DirectorySeparatorChar) == true;
        if (!folder)
        {
            return destination;
        }

        if (name is "" or "." or ".." || name.IndexOfAny(System.IO.Path.GetInvalidFileNameChars()) >= 0
            || name.Any(char.IsControl))
        {
            throw ErrorFactory.Local(
                LocalCause.DestinationInvalid,
                $"'{name}' cannot be a file's name on this machine.",
                detail: new Dictionary<string, string> { ["advice"] = "Name the file with -Destination." });
        }

        return System.IO.Path.Join(destination, name);
    }
}
