using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using PyDebug.Tools.Bpftrace;

namespace PyDebug.Completion;

/// <summary>Completes the names of bpftrace scripts, with what they show.</summary>
internal sealed class BpftraceScriptCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        string start = (wordToComplete ?? "").Trim('\'', '"');
        return BpftraceLibrary.All
            .Where(s => s.Name.StartsWith(start, StringComparison.OrdinalIgnoreCase))
            .Select(s => new CompletionResult(s.Name, s.Name, CompletionResultType.ParameterValue, s.Synopsis));
    }
}
