using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Heap;

/// <summary>
/// Compares two reports of <c>Get-PyHeap</c>: by part, type and holder what was before and after. Reports of two
/// processes are compared by shares.
/// </summary>
[Cmdlet(VerbsData.Compare, "PyHeap")]
[OutputType(typeof(PyHeapDifference))]
public sealed class ComparePyHeapCommand : PSCmdlet
{
    /// <summary>The report to compare with: live, or made again from JSON or CLIXML.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNull]
    public PSObject? ReferenceObject { get; set; }

    /// <summary>The later report: live, or made again from JSON or CLIXML.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true)]
    [ValidateNotNull]
    public PSObject? DifferenceObject { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        PyHeapReport before = Report(ReferenceObject!, nameof(ReferenceObject));
        PyHeapReport after = Report(DifferenceObject!, nameof(DifferenceObject));
        HeapComparer comparer = new(before, after);
        foreach (string remark in comparer.Remarks())
        {
            WriteWarning(remark);
        }

        WriteObject(comparer.Compare(), enumerateCollection: true);
    }

    private PyHeapReport Report(PSObject item, string parameter)
    {
        // A variable that a pipeline filled may be a list of one.
        if (item.BaseObject is IList { Count: 1 } list)
        {
            item = PSObject.AsPSObject(list[0]!);
        }

        if (item.BaseObject is PyHeapReport report)
        {
            return report;
        }

        string[] missing =
        [
            .. new[] { "Parts", "Types", "ResidentEndBytes", "ProcessId" }
                .Where(name => item.Properties[name] is null),
        ];
        try
        {
            if (missing.Length == 0)
            {
                return (PyHeapReport)RecordReader.Read(item, typeof(PyHeapReport));
            }
        }
        catch (Exception e) when (e is PSInvalidCastException or FormatException or InvalidCastException)
        {
            missing = [e.Message];
        }

        string what = item.BaseObject is IList many
            ? $"{many.Count} objects"
            : item.TypeNames.FirstOrDefault() ?? "nothing";
        ThrowTerminatingError(ErrorFactory.Local(
            LocalCause.ParameterInvalid,
            $"-{parameter} is no report of Get-PyHeap but {SafeText.Line(what, 100)}.",
            detail: new Dictionary<string, string>
            {
                ["advice"] = "It takes one report: live, from Import-Clixml, or as ConvertTo-Json -Depth 5 wrote it.",
            }).ErrorRecord);
        return null!;
    }
}
