using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Watch;

/// <summary>
/// Finds who takes the place of a pod that is watched, and starts a session there: of the same owner, with the same
/// application's image, and for the session the same image and profile.
/// </summary>
internal sealed class Successions
{
    /// <summary>The most in an hour: a pod that goes again and again is not helped by more debug containers.</summary>
    public const int MostInAnHour = 5;

    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan s_start = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, PodInfo> _pods = [];

    private readonly Dictionary<PodWork, Queue<long>> _times = [];

    private readonly HashSet<string> _taken = [];

    /// <summary>Whether what was watched is gone, and something may take its place.</summary>
    public static bool IsReplaced(EngineException e)
        => e.Cause is Causes.PodDeleting or Causes.PodNotFound or Causes.PodReplaced or Causes.DebugContainerGone
            or Causes.TargetNotRunning or Causes.TargetRestarted;

    /// <summary>Takes note of a pod while it is there, and of those beside it, which are no successors of it.</summary>
    public async Task RememberAsync(AgentRun run, CancellationToken ct)
    {
        PodDebugSession session = run.Session;
        PodReference reference = new() { Namespace = session.Namespace, Name = session.PodName, Uid = session.PodUid };
        PodInfo pod = await run.Gateway.GetPodAsync(reference, ct).ConfigureAwait(false);
        IReadOnlyList<PodInfo> beside = await run.Gateway.ListSiblingsAsync(pod, ct).ConfigureAwait(false);
        lock (_pods)
        {
            _pods[pod.Reference.Uid] = pod;
            _taken.UnionWith(beside.Select(p => p.Reference.Uid).Append(pod.Reference.Uid));
        }
    }

    /// <summary>Goes on where the pod went; null where that was declined, or nothing came in time.</summary>
    /// <exception cref="PyDebugException">It was replaced too often.</exception>
    public async Task<AgentRun?> FollowAsync(AgentRun run, EngineException why, TimeSpan? left, CancellationToken ct)
    {
        PodInfo? old;
        lock (_pods)
        {
            old = _pods.GetValueOrDefault(run.Session.PodUid);
        }

        if (old is null)
        {
            return null;
        }

        Queue<long> times = Times(run);
        if (times.Count >= MostInAnHour)
        {
            throw ErrorFactory.Local(
                LocalCause.FollowLimit,
                $"{run.Session.Target()} was followed {MostInAnHour} times in an hour. {why.Message}",
                run.Session.Target());
        }

        TimeSpan patience = left < s_patience ? left.Value : s_patience;
        PodInfo? next = await FindAsync(run, old, patience, ct).ConfigureAwait(false);
        if (next is null)
        {
            run.Writer.Tell($"{run.Session.Target()}: nothing took its place in {patience.TotalSeconds:0} s.");
            return null;
        }

        times.Enqueue(Stopwatch.GetTimestamp());
        return await StartAsync(run, next, times, ct).ConfigureAwait(false);
    }

    private Queue<long> Times(AgentRun run)
    {
        lock (_pods)
        {
            if (!_times.TryGetValue(run.Work, out Queue<long>? times))
            {
                times = new();
                _times.Add(run.Work, times);
            }

            while (times.TryPeek(out long first) && Stopwatch.GetElapsedTime(first) > s_hour)
            {
                times.Dequeue();
            }

            return times;
        }
    }

    private async Task<PodInfo?> FindAsync(AgentRun run, PodInfo old, TimeSpan patience, CancellationToken ct)
    {
        Stopwatch clock = Stopwatch.StartNew();
        TimeSpan pause = s_pause;
        while (true)
        {
            try
            {
                if (await LookAsync(run, old, ct).ConfigureAwait(false) is PodInfo next)
                {
                    return next;
                }
            }
            catch (EngineException e) when (TransferTries.IsCut(e))
            {
                run.Writer.Tell($"{run.Session.Target()}: {e.Message}");
            }

            if (clock.Elapsed + pause > patience)
            {
                return null;
            }

            await run.Pause(pause, ct).ConfigureAwait(false);
            pause = pause * 1.5 < s_pause * 5 ? pause * 1.5 : s_pause * 5;
        }
    }

    private async Task<PodInfo?> LookAsync(AgentRun run, PodInfo old, CancellationToken ct)
    {
        string container = run.Session.ContainerName;
        ContainerInfo? before = Find(old, container);
        PodInfo? same = await SameAsync(run, old, ct).ConfigureAwait(false);
        if (same is { Deleting: false })
        {
            // The pod is there, and its container is started again.
            return Runs(same, container, before) ? same : null;
        }

        IReadOnlyList<PodInfo> beside = await run.Gateway.ListSiblingsAsync(old, ct).ConfigureAwait(false);
        lock (_pods)
        {
            PodInfo? next = beside.FirstOrDefault(
                p => !_taken.Contains(p.Reference.Uid) && !p.Deleting && Runs(p, container, before));
            if (next is not null)
            {
                _taken.Add(next.Reference.Uid);
                _pods[next.Reference.Uid] = next;
            }

            return next;
        }
    }

    private static async Task<PodInfo?> SameAsync(AgentRun run, PodInfo old, CancellationToken ct)
    {
        try
        {
            return await run.Gateway.GetPodAsync(old.Reference, ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Cause is Causes.PodNotFound or Causes.PodReplaced)
        {
            return null;
        }
    }

    private static bool Runs(PodInfo pod, string container, ContainerInfo? before)
        => Find(pod, container) is { Running: true } now && (before is null || now.Image == before.Image);

    private static ContainerInfo? Find(PodInfo pod, string container)
        => pod.Containers.Concat(pod.InitContainers).FirstOrDefault(c => c.Name == container);

    private async Task<AgentRun?> StartAsync(AgentRun run, PodInfo next, Queue<long> times, CancellationToken ct)
    {
        PodDebugSession session = run.Session;
        ContainerInfo container = Find(next, session.ContainerName)!;
        DebugContainerRequest wanted = new()
        {
            Pod = next.Reference,
            TargetContainer = container.Name,
            Profile = session.Profile,
            ProfileNamed = true,
            Image = session.ImageSource == "Named" ? session.Image : null,
            Reason = session.Reason,
            AllowLowMemory = run.AllowLowMemory,
            Timeout = s_start,
            Warn = run.Writer.WarnOnce,
            Tell = run.Writer.Tell,
        };
        run.Gateway.CheckRequest(wanted, next, container);
        PodTarget target = new(next.Reference.Namespace, next.Reference.Name, container.Name);
        string action = $"Add debug container (profile {wanted.Profile}, image {wanted.Image ?? container.Image})";
        if (!await run.Writer.ShouldProcessAsync(target.ToString(), action, ct).ConfigureAwait(false))
        {
            return null;
        }

        run.Writer.Tell($"{session.Target()}: {target} takes its place.");
        DebugContainerInfo started = await run.Gateway.StartDebugContainerAsync(wanted, ct).ConfigureAwait(false);
        PodWork work = new(Sessions.From(started, next, run.Work.Connection), run.Work.Connection);
        work.AddAll();
        lock (_pods)
        {
            _times[work] = times;
        }

        return run.Anew(run.Limit, work);
    }
}
