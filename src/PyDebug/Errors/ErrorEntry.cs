using System;
using System.Management.Automation;

namespace PyDebug.Errors;

/// <summary>What one cause becomes: the id and category of its error record, and the advice.</summary>
internal sealed record ErrorEntry(string Id, ErrorCategory Category, Func<FailureFacts, string> Advice);
