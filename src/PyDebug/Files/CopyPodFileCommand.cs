using System;
using System.Collections.Generic;
using System.IO;
using System.Management.Automation;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Copies a file or a folder out of the debug container, with <c>-FromTarget</c> out of the application's, or with
/// <c>-ToContainer</c> into the debug container. Each file is checked by its SHA-256, and a copy goes on where its
/// connection is cut.
/// </summary>
[Cmdlet(VerbsCommon.Copy, "PodFile", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(FileInfo))]
public sealed partial class CopyPodFileCommand : QuestionCommandBase
{
    private readonly HashSet<string> _taken = new(
        OperatingSystem.IsLinux() ? StringComparer.Ordinal : StringComparer.OrdinalIgnoreCase);

    private string _local = "";

    private LocalTree? _tree;

    /// <summary>Copies ten minutes long at most, unless <c>-TimeoutSeconds</c> says otherwise.</summary>
    public CopyPodFileCommand() => TimeoutSeconds = 600;

    /// <inheritdoc/>
    [Parameter(
        Mandatory = true,
        ParameterSetName = SessionSet,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SessionInput]
    public override PodDebugSession[] Session { get; set; } = [];

    /// <summary>The file or folder to copy. Brackets, stars and question marks are part of its name.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    [Alias("LiteralPath")]
    public string Path { get; set; } = "";

    /// <summary>
    /// Where to: a name, or a folder that the copy keeps its name in. Without it the current folder. Into a container
    /// it is an absolute path; one that ends in a slash is a folder.
    /// </summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? Destination { get; set; }

    /// <summary>Copies out of the application's container, by the paths that the application knows.</summary>
    [Parameter]
    public SwitchParameter FromTarget { get; set; }

    /// <summary>Copies from this machine into the debug container.</summary>
    [Parameter]
    public SwitchParameter ToContainer { get; set; }

    /// <summary>Copies folders, with all regular files below them.</summary>
    [Parameter]
    public SwitchParameter Recurse { get; set; }

    /// <summary>
    /// Leaves out files and folders of these names, of which stars and question marks stand for others.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ValidateCount(0, 100)]
    [SupportsWildcards]
    public string[] Exclude { get; set; } = [];

    /// <summary>Replaces files in the container.</summary>
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
            if (ToContainer && FromTarget)
            {
                throw ErrorFactory.Local(
                    LocalCause.ParameterInvalid,
                    "-FromTarget and -ToContainer exclude each other.",
                    detail: new Dictionary<string, string> {
                        ["advice"] = "Nothing is written in the application's container." });
            }

            _local = ToContainer ? Source() : Target();
            string? folder = System.IO.Path.GetDirectoryName(_local);
            if (!ToContainer && !Directory.Exists(folder))
            {
                throw ErrorFactory.Local(LocalCause.DestinationInvalid, $"There is no folder '{folder}'.");
            }
        }
        catch (PyDebugException e)
        {
            ThrowTerminatingError(e.ErrorRecord);
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
                    LocalCause.DestinationExists,
                    $"Another pod's file was copied to '{_local}' just now.",
                    target,
                    new Dictionary<string, string>
                    {
                        ["advice"] = "Copy from one pod at a time, to a -Destination of its own.",
                    });
            }
        }

        if (!await run.Writer.ShouldProcessAsync(_local, $"Copy {Path} out of {target}", ct).ConfigureAwait(false))
        {
            return;
        }

        if (!Recurse)
        {
            LocalFile.Check(_local, !NoClobber, target);
        }

        using PodFileReceiver receiver = new(run, new PodFileOptions(Path, _local)
        {
            FromTarget = FromTarget,
            Recurse = Recurse,
            Exclude = Exclude,
            NoClobber = NoClobber,
        });
        await receiver.RunAsync(ct).ConfigureAwait(false);
    }

    private async Task SendAsync(AgentRun run, CancellationToken ct)
    {
        PodTarget target = run.Session.Target();
        string destination = Destination!.EndsWith('/')
            ? Destination + System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(_local))
            : Destination;
        if (await run.Writer.ShouldProcessAsync(
            $"{target} {destination}", $"Copy {_local} into debug container", ct).ConfigureAwait(false))
        {
            PodFileOptions options = new(destination, _local) { Overwrite = Force };
            await new PodFileSender(run, options, _tree!, Directory.Exists(_local)).RunAsync(ct).ConfigureAwait(false);
        }
    }

    /// <summary>The file or folder of this machine that is sent.</summary>
    private string Source()
    {
        string path = LocalPath.Full(this, Path, LocalCause.SourceInvalid);
        if (Destination is null || !Destination.StartsWith('/'))
        {
            throw ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                "-ToContainer needs an absolute path of the container as -Destination.",
                detail: new Dictionary<string, string> { ["advice"] = "For example -Destination /tmp/" });
        }

        if (ProcPattern().IsMatch(Destination))
        {
            throw ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                $"'{SafeText.Line(Destination)}' is a process's, not the debug container's: nothing is written there.",
                detail: new Dictionary<string, string>
                {
                    ["advice"] = "Files go into the debug container, for example -Destination /tmp/. What the "
                        + "application is to have comes with its image, a volume or a ConfigMap.",
                });
        }

        if (Directory.Exists(path) && Recurse)
        {
            _tree = LocalTree.Below(path, Exclude);
            return path;
        }

        if (!File.Exists(path))
        {
            throw ErrorFactory.Local(
                LocalCause.SourceInvalid,
                $"'{path}' is not a file.",
                detail: Directory.Exists(path)
                    ? new Dictionary<string, string> { ["advice"] = "-Recurse copies a folder." } : null);
        }

        try
        {
            using FileStream file = RegularFile.Open(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ErrorFactory.Local(LocalCause.SourceInvalid, $"'{path}' cannot be read: {e.Message}");
        }

        _tree = LocalTree.Of(path);
        return path;
    }

    /// <summary>A path below /proc, however it is written. Links are the agent's to follow, and to refuse.</summary>
    [GeneratedRegex(@"^(?:/\.?)*/proc(?:/|\z)")]
    private static partial Regex ProcPattern();

    /// <summary>The file or folder of this machine that is written.</summary>
    private string Target()
    {
        string path = Path.TrimEnd('/');
        string name = path[(path.LastIndexOf('/') + 1)..];
        string destination = LocalPath.Full(this, Destination ?? ".", LocalCause.DestinationInvalid);
        bool folder = Directory.Exists(destination)
            || Destination?.EndsWith('/') == true
            || Destination?.EndsWith(System.IO.Path.DirectorySeparatorChar) == true;
        if (!folder)
        {
            return destination;
        }

        string own = LocalName.Of(name, OperatingSystem.IsWindows())
            ?? throw ErrorFactory.Local(
                LocalCause.DestinationInvalid,
                $"'{name}' cannot be a file's name on this machine.",
                detail: new Dictionary<string, string> { ["advice"] = "Name the copy with -Destination." });
        if (own != name)
        {
            Warn(SafeText.Line(
                $"A file cannot be called '{name}' on this machine, and is called '{own}'. -Destination names it."));
        }

        return System.IO.Path.Join(destination, own);
    }
}
