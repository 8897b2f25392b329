using System;
using System.Globalization;
using PyDebug.Internal;

namespace PyDebug.Watch;

/// <summary>
/// Counts what comes of one pod that is watched. What runs there may be anybody's: it writes no more than so many
/// processes in each interval can come to.
/// </summary>
/// <param name="intervalSeconds">The interval that was asked for.</param>
/// <param name="clock">Seconds since the watch began.</param>
internal sealed class WatchLimits(double intervalSeconds, Func<double> clock)
{
    /// <summary>The most processes of one container: Kubernetes allows a node's pods no more by default.</summary>
    public const int MostProcesses = 4096;

    private const int LongestRecord = 1 << 16;

    private long _records;

    /// <summary>Counts a record.</summary>
    /// <exception cref="LimitExceededException">There were too many, or it is too long.</exception>
    public void Count(int length)
    {
        if (length > LongestRecord)
        {
            throw new LimitExceededException(string.Create(
                CultureInfo.InvariantCulture, $"The debug container sent a sample of {length:#,0} characters."));
        }

        // Twice as many, since intervals are counted by another clock, and what waited on the way comes together.
        double most = 2 * MostProcesses * (2 + (clock() / intervalSeconds));
        if (++_records > most)
        {
            throw new LimitExceededException(string.Create(
                CultureInfo.InvariantCulture,
                $"The debug container sent more than {most:#,0} samples, which is more than {MostProcesses:#,0} "
                + $"processes come to."));
        }
    }
}
