using System;
using System.Collections.Concurrent;
using System.Globalization;
using System.Linq;
using System.Management.Automation.Runspaces;
using System.Runtime.CompilerServices;
using PyDebug.Engine;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// What the last report of each container knew, kept as long as the runspace lives: after the container ended at its
/// limit nobody can be asked any more.
/// </summary>
internal sealed class MemrayHistory
{
    private const int MostContainers = 1000;

    /// <summary>An end that is longer ago is no news to somebody who saw no report of the time before.</summary>
    private static readonly TimeSpan s_news = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<(string, string), (DateTime Begun, string Text)> _last = new();

    private static readonly ConditionalWeakTable<Runspace, MemrayHistory> s_histories = [];

    /// <summary>The history of a runspace: several of one process may be several people's.</summary>
    /// <param name="runspace">The runspace; null for none, which remembers nothing.</param>
    public static MemrayHistory Of(Runspace? runspace)
        => runspace is null ? new MemrayHistory() : s_histories.GetValue(runspace, _ => new MemrayHistory());

    /// <summary>Remembers a report.</summary>
    public void Add(PodDebugSession session, MemrayReport report)
    {
        if (_last.Count < MostContainers || _last.ContainsKey((session.PodUid, session.ContainerName)))
        {
            DateTime begun = report.Started ?? report.Timestamp.AddSeconds(-report.DurationSeconds);
            _last[(session.PodUid, session.ContainerName)] = (begun, Describe(report));
        }
    }

    /// <summary>What happened to a container since the last report; null where it is the one that it was.</summary>
    /// <param name="session">The session on it.</param>
    /// <param name="container">The container as the server knows it now.</param>
    /// <param name="now">The time, UTC.</param>
    public string? Tell(PodDebugSession session, ContainerInfo container, DateTime now)
    {
        bool known = _last.TryGetValue((session.PodUid, session.ContainerName), out (DateTime Begun, string Text) last);
        if (container.LastEnded is not DateTime ended || ended < (known ? last.Begun : now - s_news))
        {
            return null;
        }

        string when = ended.ToString("HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
        string text = $"Container '{container.Name}' {GoneDiagnosis.EndOf(container)} at {when}.";
        return known
            ? text + string.Create(CultureInfo.InvariantCulture,
                $" The last report, of {last.Begun:HH:mm:ss} UTC, saw {last.Text}.")
            : text;
    }

    private static string Describe(MemrayReport report)
    {
        string text = report.LeakedBytes is long kept
            ? $"{Amounts.Bytes(kept)} kept in "
                + string.Create(CultureInfo.InvariantCulture, $"{report.DurationSeconds:0.0} s")
            : "nothing that could be read";
        MemrayAllocation? most = report.Allocations.FirstOrDefault(a => a.Frames.Count > 0);
        text += most is null
            ? ""
            : $", most of it ({Amounts.Bytes(most.Bytes)}) by "
                + $"{FrameText.One(most.Frames[MemrayText.Innermost(most.Frames)])}";
        return report.SecondsToLimit is double seconds
            ? text + $", and {Amounts.Ahead(seconds)} until the limit"
            : text;
    }
}
