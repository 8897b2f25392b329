using System;
using System.Management.Automation;

namespace PyDebug.Errors;

/// <summary>
/// An error record whose text holds the advice too. The console shows <c>RecommendedAction</c> on a line of its own;
/// logs and runbooks keep the text alone.
/// </summary>
internal sealed class ExplainedErrorRecord : ErrorRecord
{
    private readonly string _text;

    public ExplainedErrorRecord(Exception exception, ErrorEntry entry, object? target, string advice)
        : base(exception, entry.Id, entry.Category, target)
    {
        _text = $"{exception.Message} {advice}".TrimEnd();
        ErrorDetails = new ErrorDetails(exception.Message) { RecommendedAction = advice };
    }

    /// <inheritdoc/>
    public override string ToString() => _text;
}
