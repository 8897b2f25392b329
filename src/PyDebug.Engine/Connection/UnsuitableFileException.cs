using System.IO;

namespace PyDebug.Engine;

/// <summary>
/// A file is not of the kind that is read here. Its message says what is wrong, as the end of a sentence.
/// </summary>
internal sealed class UnsuitableFileException(string what) : IOException(what);
