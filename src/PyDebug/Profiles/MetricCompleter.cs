using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace PyDebug.Completion;

/// <summary>Completes the metrics that reports have.</summary>
internal sealed class MetricCompleter : IArgumentCompleter
{
    private static readonly string[] s_metrics = ["Cpu", "Wall", "Wait", "Gil", "Bytes", "Leaked", "HighWatermark"];

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
        => s_metrics.Where(
            m => m.StartsWith((wordToComplete ?? "").Trim('\'', '"'), StringComparison.OrdinalIgnoreCase))
            .Select(m => new CompletionResult(m));
}
