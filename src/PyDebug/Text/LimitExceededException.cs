using System;

namespace PyDebug.Internal;

/// <summary>
/// What is read is larger than it may be, whatever it says of itself. The message is a sentence of its own.
/// </summary>
internal sealed class LimitExceededException(string message) : Exception(message);
