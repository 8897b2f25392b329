using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;
using PyDebug.Completion;
using PyDebug.Errors;
using PyDebug.Internal;
using PyDebug.Profiles;
using PyDebug.Profiles.Flame;

namespace PyDebug.Commands;

/// <summary>
/// Writes profiles to a file: a flame graph (SVG), speedscope's JSON, or collapsed stacks. Several profiles become one
/// file, apart by process.
/// </summary>
[Cmdlet(VerbsData.Export, "StackProfile", DefaultParameterSetName = PathSet, SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(FileInfo))]
public sealed class ExportStackProfileCommand : PSCmdlet
{
    private const string PathSet = "Path";

    private const string LiteralPathSet = "LiteralPath";

    private readonly List<StackProfile> _profiles = [];

    private readonly List<IStackProfilePart> _entries = [];

    private string _path = "";

    private bool _hadInput;

    private bool _hadEntries;

    /// <summary>Profiles, or reports that offer profiles.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true)]
    [ValidateNotNull]
    public PSObject? InputObject { get; set; }

    /// <summary>
    /// The file to write. Its extension chooses the format: .svg, .json, .txt, .folded or .collapsed.
    /// </summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = PathSet)]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>The same; both take the name as it is, brackets and all.</summary>
    [Parameter(Mandatory = true, ParameterSetName = LiteralPathSet)]
    [ValidateNotNullOrEmpty]
    [Alias("PSPath")]
    public string? LiteralPath { get; set; }

    /// <summary>The format, where the extension does not say it.</summary>
    [Parameter]
    [ValidateSet("Svg", "Speedscope", "Collapsed")]
    public string? Format { get; set; }

    /// <summary>Takes the profiles of this metric alone: Cpu, Wall, Wait, Gil, Bytes, Leaked, HighWatermark,
    /// or the name of a map such as @writes.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(MetricCompleter))]
    public string? Metric { get; set; }

    /// <summary>Keeps threads apart in a flame graph.</summary>
    [Parameter]
    public SwitchParameter ByThread { get; set; }

    /// <summary>Leaves a file that exists as it is, and says so.</summary>
    [Parameter]
    public SwitchParameter NoClobber { get; set; }

    /// <summary>Replaces a file that is read-only too.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Writes the file's <see cref="FileInfo"/> to the pipeline.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>
    /// Looks at the path before anything is measured that would come through the pipeline: it is opened for a moment.
    /// </summary>
    protected override void BeginProcessing()
    {
        try
        {
            _path = LocalPath.Full(this, LiteralPath ?? Path!, LocalCause.DestinationInvalid);
            Format ??= FormatOf(_path);
            if (!MyInvocation.BoundParameters.ContainsKey("WhatIf"))
            {
                OutputFile.Open(_path, NoClobber, Force).Dispose();
            }
        }
        catch (PyDebugException e)
        {
            ThrowTerminatingError(e.ErrorRecord);
        }
    }

    /// <summary>Gathers profiles.</summary>
    protected override void ProcessRecord()
    {
        _hadInput = true;
        IStackProfileSource? source;
        try
        {
            source = InputObject?.BaseObject as IStackProfileSource ?? StackProfileSources.Revive(InputObject!);
        }
        catch (Exception e) when (e is not PipelineStoppedException)
        {
            WriteError(ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                $"An object that is made like a profile cannot be read as one: {(e.InnerException ?? e).Message}",
                detail: new Dictionary<string, string> { ["advice"] = "ConvertTo-Json keeps all of it at -Depth 5." })
                    .ErrorRecord);
            return;
        }

        if (source is null)
        {
            WriteError(ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                $"An object of type {InputObject!.TypeNames[0]} has no stack profile.",
                detail: new Dictionary<string, string>
                {
                    ["advice"] = "Wanted are reports of Measure-PyTime, Get-MemrayReport and Get-PyHeap, recordings of "
                        + "Invoke-PySpy -Record, maps of Invoke-Bpftrace, and what Import-StackProfile reads.",
                }).ErrorRecord);
            return;
        }

        if (source is IStackProfilePart entry)
        {
            _hadEntries = true;
            // Maps come entry by entry, those without stacks among them.
            if (entry.GetStackProfiles(Metric).Count > 0)
            {
                _entries.Add(entry);
            }

            return;
        }

        IReadOnlyList<StackProfile> profiles = source.GetStackProfiles(Metric);
        if (profiles.Count == 0)
        {
            string has = string.Join(", ", source.GetStackProfileMetrics());
            WriteError(ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                $"'{source}' has no profile of metric '{Metric}'. It has {has}.").ErrorRecord);
        }

        _profiles.AddRange(profiles);
    }

    /// <summary>Writes the file.</summary>
    protected override void EndProcessing()
    {
        IEnumerable<StackProfile> summed = _entries.GroupBy(e => e.GetType()).SelectMany(g => g.First().Together(g));
        foreach (StackProfile profile in summed)
        {
            foreach (string warning in profile.Warnings)
            {
                WriteWarning(warning);
            }

            _profiles.Add(profile);
        }

        if (_profiles.Count == 0)
        {
            if (!_hadInput || _hadEntries)
            {
                WriteWarning("There was no profile to export; nothing was written.");
            }

            return;
        }

        try
        {
            Check(Format!);
            if (ShouldProcess(_path, $"Write {_profiles.Count} profile(s) as {Format}"))
            {
                Write(_path, Format!);
            }
        }
        catch (PyDebugException e)
        {
            WriteError(e.ErrorRecord);
        }
        catch (Exception e) when (e is not RuntimeException)
        {
            WriteError(ErrorFactory.From(e, target: null).ErrorRecord);
        }
    }

    private static string FormatOf(string path) => System.IO.Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".svg" => "Svg",
        ".json" => "Speedscope",
        ".txt" or ".folded" or ".collapsed" => "Collapsed",
        string other => throw ErrorFactory.Local(
            LocalCause.ParameterInvalid, $"The extension '{other}' does not say a format; -Format does."),
    };

    private void Check(string format)
    {
        string[] metrics = [.. _profiles.Select(p => p.Metric).Distinct()];
        if (format != "Speedscope" && metrics.Length > 1)
        {
            throw ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                $"Profiles of {string.Join(" and ", metrics)} do not add up to one file. Choose one with -Metric.");
        }

        if (_profiles.Any(p => p.Samples.Any(s => !double.IsFinite(s.Value) || s.Value < 0 || s.Count < 0)))
        {
            throw ErrorFactory.Local(
                LocalCause.ParameterInvalid, "A profile has samples whose value is no number of 0 or more.");
        }

        if (_profiles.All(p => p.Samples.Count == 0))
        {
            WriteWarning("The profile has no samples: the file shows nothing.");
        }
    }

    private void Write(string path, string format)
    {
        try
        {
            using OutputFile file = OutputFile.Open(path, NoClobber, Force);
            WriteContent(file.Stream, format);
            file.Complete();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputFile.Explain(e, path);
        }

        if (PassThru)
        {
            WriteObject(new FileInfo(path));
        }
    }

    private void WriteContent(Stream stream, string format)
    {
        if (format == "Speedscope")
        {
            string version = typeof(StackProfile).Assembly.GetName().Version?.ToString(3) ?? "0";
            SpeedscopeWriter.Write(stream, _profiles, version);
            return;
        }

        using StreamWriter writer = new(
            stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true);
        if (format == "Svg")
        {
            FlameGraphWriter.Write(writer, _profiles, ByThread);
            return;
        }

        foreach (string warning in CollapsedWriter.Write(writer, _profiles).Warnings())
        {
            WriteWarning(warning);
        }
    }
}
