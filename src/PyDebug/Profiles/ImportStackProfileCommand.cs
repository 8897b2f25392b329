using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using PyDebug.Errors;
using PyDebug.Internal;
using PyDebug.Profiles;

namespace PyDebug.Commands;

/// <summary>
/// Reads profiles from files: speedscope's JSON (PyDebug's, py-spy's and others') and collapsed stacks. Each process of
/// a file becomes a profile of its own.
/// </summary>
[Cmdlet(VerbsData.Import, "StackProfile", DefaultParameterSetName = PathSet)]
[OutputType(typeof(StackProfile))]
public sealed class ImportStackProfileCommand : PSCmdlet, IDisposable
{
    private const string PathSet = "Path";

    private const string LiteralPathSet = "LiteralPath";

    private const long LargestFile = 1L << 30;

    private const string Damaged =
        "What can be read of it contradicts itself: have the program that made it write it again.";

    private readonly CancellationTokenSource _stopping = new();

    /// <summary>The files. A pattern is taken as one where no file has exactly that name.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = PathSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    /// <summary>The files by their exact names.</summary>
    [Parameter(Mandatory = true, ParameterSetName = LiteralPathSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("PSPath")]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>Reads files.</summary>
    protected override void ProcessRecord()
    {
        foreach (string path in ParameterSetName == LiteralPathSet ? LiteralPath : Path)
        {
            IReadOnlyCollection<string> files;
            try
            {
                files = Resolve(path);
            }
            catch (PyDebugException e)
            {
                WriteError(e.ErrorRecord);
                continue;
            }

            foreach (string file in files)
            {
                Write(file);
            }
        }
    }

    /// <summary>Stops reading.</summary>
    protected override void StopProcessing() => _stopping.Cancel();

    /// <summary>Releases what the cmdlet holds.</summary>
    public void Dispose() => _stopping.Dispose();

    private static PyDebugException Invalid(string file, string reason, string advice = Damaged)
        => ErrorFactory.Local(
            LocalCause.SourceInvalid,
            $"'{file}' cannot be read as a profile. {reason}",
            detail: new Dictionary<string, string> { ["advice"] = advice });

    private static IReadOnlyList<StackProfile> Parse(FileStream stream, CancellationToken ct)
    {
        if (!IsJson(stream))
        {
            return CollapsedReader.Read(stream, new StackProfile(), ct);
        }

        stream.Position = 0;
        IReadOnlyList<StackProfile> profiles = SpeedscopeReader.Read(stream, new StackProfile(), ct);
        return profiles.Count > 0
            ? profiles
            : throw new InvalidDataException("It has no profiles: what wrote it had sampled nothing.");
    }

    /// <summary>
    /// Collapsed stacks may begin with a brace too, as those of PHP do; an object goes on with a name.
    /// </summary>
    private static bool IsJson(FileStream stream)
    {
        int found = 0;
        int next;
        do
        {
            next = stream.ReadByte();
            found += next == '{' ? 1 : 0;
        }
        while (next is ' ' or '\t' or '\r' or '\n' or 0xef or 0xbb or 0xbf || (next == '{' && found == 1));
        return found == 1 && next is '"' or '}';
    }

    private IReadOnlyCollection<string> Resolve(string path)
    {
        if (ParameterSetName == LiteralPathSet || !WildcardPattern.ContainsWildcardCharacters(path))
        {
            return [LocalPath.Full(this, path, LocalCause.SourceInvalid)];
        }

        string exact = LocalPath.Full(this, path, LocalCause.SourceInvalid);
        return File.Exists(exact) ? [exact] : LocalPath.Matching(this, path);
    }

    private void Write(string file)
    {
        IReadOnlyList<StackProfile> profiles;
        try
        {
            profiles = Read(file);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            throw new PipelineStoppedException();
        }
        catch (PyDebugException e)
        {
            WriteError(e.ErrorRecord);
            return;
        }

        foreach (string warning in profiles.SelectMany(p => p.Warnings).Distinct().Where(w => IsOfReading(profiles, w)))
        {
            WriteWarning(SafeText.Line($"'{file}': {warning}"));
        }

        WriteObject(profiles, enumerateCollection: true);
    }

    /// <summary>A file of ours has the warnings of its recording, which were told then.</summary>
    private static bool IsOfReading(IReadOnlyList<StackProfile> profiles, string warning)
        => profiles.All(p => p.Tool is null && p.Warnings.Contains(warning));

    private IReadOnlyList<StackProfile> Read(string file)
    {
        try
        {
            if (!File.Exists(file))
            {
                throw ErrorFactory.Local(LocalCause.SourceInvalid, $"There is no file '{file}'.");
            }

            using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (!stream.CanSeek)
            {
                throw Invalid(file, "It is no regular file.", "Check the path: it must be a regular file.");
            }

            if (stream.Length > LargestFile)
            {
                throw new LimitExceededException(
                    $"It has {stream.Length >> 20} MiB, more than the {LargestFile >> 20} MiB allowed.");
            }

            return Parse(stream, _stopping.Token);
        }
        catch (InvalidDataException e)
        {
            throw Invalid(file, e.Message);
        }
        catch (LimitExceededException e)
        {
            throw ErrorFactory.Local(
                LocalCause.LimitExceeded,
                $"'{file}' is larger than is read. {e.Message}",
                detail: new Dictionary<string, string> {
                    ["advice"] = "Nothing of it was taken. A shorter recording is smaller." });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw Invalid(file, e.Message, "Check the path: it must be a regular file that can be read.");
        }
        catch (Exception e) when (e is not (OperationCanceledException or PyDebugException))
        {
            throw ErrorFactory.From(e, target: null);
        }
    }
}
