using System.Collections.Generic;
using System.Globalization;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>
/// What is left out of a folder's copy: each is named in a warning, and one error counts them in the end.
/// </summary>
/// <param name="folder">The folder as the user called it.</param>
/// <param name="writer">Takes the warnings.</param>
/// <param name="target">The pod.</param>
internal sealed class LeftOut(string folder, PipelineWriter writer, PodTarget target)
{
    /// <summary>The most that are named.</summary>
    internal const int MostNamed = 1000;

    private readonly HashSet<string> _paths = [];

    /// <summary>Notes one; another time the same one changes nothing.</summary>
    /// <param name="path">Its path below the folder.</param>
    /// <param name="why">A word of the agent's, or the end of a sentence.</param>
    /// <exception cref="Internal.LimitExceededException">There are more than a folder may have.</exception>
    public void Add(string path, string why)
    {
        if (_paths.Count >= PodFileReceiver.MostFiles)
        {
            throw new Internal.LimitExceededException(
                "The debug container names more files that are left out than a folder may have.");
        }

        if (_paths.Add(path) && _paths.Count <= MostNamed)
        {
            writer.Warn($"{target}: '{path}' is left out: {Sentence(why)}.");
        }
    }

    /// <summary>Tells in one error how many there are.</summary>
    /// <param name="copied">How many files were copied.</param>
    /// <exception cref="PyDebugException">Some were left out.</exception>
    public void ThrowIfAny(int copied)
    {
        if (_paths.Count == 0)
        {
            return;
        }

        string named = _paths.Count > MostNamed
            ? string.Create(CultureInfo.InvariantCulture, $" {MostNamed:#,0} of {_paths.Count:#,0} are named.")
            : "";
        throw ErrorFactory.Local(
            LocalCause.FilesLeftOut,
            string.Create(
                CultureInfo.InvariantCulture,
                $"Of '{folder}' {copied:#,0} {(copied == 1 ? "file was" : "files were")} copied, and "
                + $"{_paths.Count:#,0} {(_paths.Count == 1 ? "entry was" : "entries were")} left out.{named}"),
            target);
    }

    private static string Sentence(string why) => why switch
    {
        "link" => "it is a link",
        "device" => "it is no regular file",
        "kernel" => "it is no file but a view of the kernel",
        "denied" => "it may not be opened",
        "unreadable" => "it cannot be read",
        "depth" => "it lies too deep",
        "gone" => "it is gone meanwhile",
        "changed" => "it was written to while it was copied",
        "exists" => "it exists in the container, and -Force replaces it",
        "place" => "what is in its place there is no regular file or folder",
        "name" => "its name is none that files here can have",
        "case" => "its name differs from another's by case alone, which is the same here",
        _ => why,
    };
}
