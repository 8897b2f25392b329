using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.IO;
using System.Management.Automation;
using System.Text;
using PyDebug.Errors;
using PyDebug.Profiles;

namespace PyDebug.Commands;

/// <summary>
/// Reads profiles from files: speedscope's JSON (PyDebug's, py-spy's and others') and collapsed stacks. Each process of
/// a file becomes a profile of its own.
/// </summary>
[Cmdlet(VerbsData.Import, "StackProfile", DefaultParameterSetName = PathSet)]
[OutputType(typeof(StackProfile))]
public sealed class ImportStackProfileCommand : PSCmdlet
{
    private const string PathSet = "Path";

    private const string LiteralPathSet = "LiteralPath";

    private const long LargestFile = 1L << 30;

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
            try
            {
                foreach (string file in Resolve(path))
                {
                    Read(file);
                }
            }
            catch (PyDebugException e)
            {
                WriteError(e.ErrorRecord);
            }
        }
    }

    private static PyDebugException Invalid(string file, string reason)
        => ErrorFactory.Local(LocalCause.SourceInvalid, $"'{file}' cannot be read as a profile. {reason}");

    private static IReadOnlyList<StackProfile> Parse(FileStream stream)
    {
        int first = stream.ReadByte();
        while (first is ' ' or '\t' or '\r' or '\n' or 0xef or 0xbb or 0xbf)
        {
            first = stream.ReadByte();
        }

        stream.Position = 0;
        if (first == '{')
        {
            return SpeedscopeReader.Read(stream, new StackProfile());
        }

        using StreamReader reader = new(stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: true, leaveOpen: true);
        return [CollapsedReader.Read(reader, new StackProfile())];
    }

    private IReadOnlyCollection<string> Resolve(string path)
    {
        string exact = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path);
        if (ParameterSetName == LiteralPathSet || File.Exists(exact) || !WildcardPattern.ContainsWildcardCharacters(path))
        {
            return [exact];
        }

        Collection<string> found = GetResolvedProviderPathFromPSPath(path, out ProviderInfo _);
        return found.Count > 0
            ? found
            : throw ErrorFactory.Local(LocalCause.SourceInvalid, $"No file matches '{path}'.");
    }

    private void Read(string file)
    {
        try
        {
            if (!File.Exists(file))
            {
                throw ErrorFactory.Local(LocalCause.SourceInvalid, $"There is no file '{file}'.");
            }

            using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (stream.Length > LargestFile)
            {
                throw Invalid(file, $"It has {stream.Length >> 20} MiB, more than the {LargestFile >> 20} MiB allowed.");
            }

            WriteObject(Parse(stream), enumerateCollection: true);
        }
        catch (InvalidDataException e)
        {
            throw Invalid(file, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw Invalid(file, e.Message);
        }
    }
}
