using System.Management.Automation;

namespace PyDebug.Errors;

/// <summary>
/// An error record whose text, in logs and runbooks, holds the advice too. The console's view takes the sentence from
/// the details and shows <c>RecommendedAction</c> on a line of its own.
/// </summary>
internal sealed class ExplainedErrorRecord : ErrorRecord
{
    public ExplainedErrorRecord(PyDebugException exception, ErrorEntry entry, string sentence)
        : base(exception, entry.Id, entry.Category, exception.Target)
    {
        ErrorDetails = new ErrorDetails(sentence) { RecommendedAction = exception.RecommendedAction };
    }

    /// <inheritdoc/>
    public override string ToString() => Exception.Message;
}
