using System.Globalization;
using PyDebug.Engine;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Counts the frames of one answer. What runs in a pod may be anybody's: how much it sends is bounded here, whatever it
/// was asked for. Bytes of files are counted where the files are.
/// </summary>
internal sealed class AnswerLimits
{
    /// <summary>The most results: a hundred times what the largest process has threads or tasks.</summary>
    private const long MostResults = 10_000_000;

    /// <summary>The most bytes of results.</summary>
    private const long MostResultBytes = 4L << 30;

    /// <summary>The most warnings and failures: some of each of as many processes as a container can have.</summary>
    private const long MostNotes = 10_000;

    /// <summary>The most other frames: a hundred a second for as long as an answer may take.</summary>
    private const long MostOthers = 5_000_000;

    private long _results;

    private long _resultBytes;

    private long _notes;

    private long _others;

    /// <summary>Counts a frame.</summary>
    /// <exception cref="LimitExceededException">There were too many of its kind.</exception>
    public void Count(char kind, int length)
    {
        switch (kind)
        {
            case FrameKinds.Result:
                Check(++_results, MostResults, "results");
                Check(_resultBytes += length, MostResultBytes, "bytes of results");
                break;
            case FrameKinds.Warning or FrameKinds.Failure:
                Check(++_notes, MostNotes, "warnings and failures");
                break;
            case FrameKinds.File or FrameKinds.HashedFile:
                break;
            default:
                Check(++_others, MostOthers, "messages");
                break;
        }
    }

    private static void Check(long count, long most, string what)
    {
        if (count > most)
        {
            throw new LimitExceededException(string.Create(
                CultureInfo.InvariantCulture, $"The debug container sent more than {most:#,0} {what}."));
        }
    }
}
