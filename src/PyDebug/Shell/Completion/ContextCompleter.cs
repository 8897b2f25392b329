using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using PyDebug.Engine;

namespace PyDebug.Completion;

/// <summary>Completes the contexts of the kubeconfig. Nothing is sent.</summary>
internal sealed class ContextCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        string word = wordToComplete.Trim('\'', '"');
        try
        {
            return
            [
                .. KubeGateway.Contexts(LiveCompleter.FileIn(fakeBoundParameters))
                    .Where(c => c.StartsWith(word, StringComparison.OrdinalIgnoreCase))
                    .Select(c => new CompletionResult(
                        c.All(l => char.IsAsciiLetterOrDigit(l) || l is '-' or '.' or '_') ? c
                            : $"'{CodeGeneration.EscapeSingleQuotedStringContent(c)}'",
                        Internal.SafeText.Line(c, 200),
                        CompletionResultType.ParameterValue,
                        Internal.SafeText.Line(c, 200))),
            ];
        }
        catch (Exception)
        {
            return [];
        }
    }
}
