using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Waits until a debug container runs, or says why it will not.</summary>
internal sealed class StartWatcher
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_eventTimeout = TimeSpan.FromSeconds(5);

    private readonly PodApi _api;
    private readonly Action<string>? _progress;
    private StartFailure? _failure;
    private string? _mayBeVirtual;
    private string _lastSeen = "nothing was reported about it";

    public StartWatcher(PodApi api, Action<string>? progress)
    {
        _api = api;
        _progress = progress;
    }

    /// <summary>The pod in which the container runs.</summary>
    public async Task<PodInfo> WaitAsync(
        PodReference reference, string name, ContainerInfo target, TimeSpan timeout, CancellationToken ct)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(timeout > TimeSpan.Zero ? timeout : TimeSpan.Zero);
        try
        {
            return await PollAsync(reference, name, target, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (!ct.IsCancellationRequested
            && (e is OperationCanceledException || (e is EngineException last && Patience.MayPass(last))))
        {
            if (_api.Outage is string outage)
            {
                // What was seen before is no news of what has happened since.
                throw new EngineException(
                    Causes.StartTimeout,
                    $"Debug container '{name}' in pod '{reference}' was not seen to start in "
                        + $"time: {outage.TrimEnd('.')}.",
                    e)
                {
                    Detail = Detail(name, null),
                };
            }

            string? said = await EventAsync(reference, name).ConfigureAwait(false);
            throw new EngineException(
                _failure?.Cause ?? Causes.StartTimeout,
                $"Debug container '{name}' in pod '{reference}' did not start in time: {_lastSeen}{Suffix(said)}.")
            {
                Reason = _failure?.Reason,
                ServerMessage = _failure?.Message,
                Detail = Detail(name, said, _failure),
            };
        }
    }

    private async Task<PodInfo> PollAsync(
        PodReference reference, string name, ContainerInfo target, CancellationToken ct)
    {
        TimeSpan pause = s_firstPause;
        string? reason = null;
        long since = 0;
        int pulls = 0;
        while (true)
        {
            PodInfo pod = await _api.GetAsync(reference, ct).ConfigureAwait(false);
            JsonObject? state = DebugContainerReader.State(pod, name);
            _mayBeVirtual = state is null && VirtualNode.MayHold(pod) ? pod.NodeName : null;
            if (KubeJson.Object(state, "running") is not null)
            {
                return pod;
            }

            CheckTarget(pod, target);
            if (PodMemory.EndedShort(pod, name, KubeJson.Object(state, "terminated")) is EngineException low)
            {
                throw low;
            }

            StartFailure? failure = _failure = StartFailure.Judge(state);
            string? now = failure?.Reason ?? KubeJson.Text(state, "waiting", "reason");
            if (now != reason)
            {
                reason = now;
                since = Stopwatch.GetTimestamp();
                pulls += failure?.IsPullAttempt == true ? 1 : 0;
                _lastSeen = Describe(state);
                _progress?.Invoke($"Waiting for debug container '{name}': {_lastSeen}");
            }

            if (failure is not null && (Stopwatch.GetElapsedTime(since) >= failure.Patience || pulls > 1))
            {
                string? said = await EventAsync(reference, name).ConfigureAwait(false);
                throw new EngineException(
                    failure.Cause,
                    $"Debug container '{name}' in pod '{reference}' does not start: {failure.Reason}"
                    + $"{(failure.Message.Length > 0 ? ", " : "")}{failure.Message.TrimEnd('.')}{Suffix(said)}.")
                {
                    Reason = failure.Reason,
                    ServerMessage = failure.Message,
                    Detail = Detail(name, said, failure),
                };
            }

            await Task.Delay(pause, ct).ConfigureAwait(false);
            pause = pause * 1.5 < s_longestPause ? pause * 1.5 : s_longestPause;
        }
    }

    private static void CheckTarget(PodInfo pod, ContainerInfo target)
    {
        ContainerInfo now = StartChecks.Check(pod, target.Name);
        if (now.ContainerId != target.ContainerId)
        {
            throw new EngineException(
                Causes.TargetRestarted, $"Container '{target.Name}' of pod '{pod.Reference}' was restarted meanwhile.")
            {
                Retryable = true,
            };
        }
    }

    private static string Describe(JsonObject? state)
    {
        string? reason = KubeJson.Text(state, "waiting", "reason");
        string? message = KubeJson.Text(state, "waiting", "message");
        return reason is null
            ? "the kubelet has not reported it yet"
            : message is null ? reason : $"{reason}, {message.Trim().TrimEnd('.')}";
    }

    private static string Suffix(string? said) => said is null ? string.Empty : $" (last event: {said.TrimEnd('.')})";

    private Dictionary<string, string> Detail(string name, string? said, StartFailure? failure = null)
    {
        Dictionary<string, string> detail = new() { ["debugContainer"] = name };
        if (failure?.IsOtherMachine == true)
        {
            detail[StartFailure.OtherMachine] = failure.Reason;
        }

        if (failure is null && _mayBeVirtual is string node)
        {
            detail[VirtualNode.Detail] = node;
        }

        if (said is not null)
        {
            detail["event"] = said;
        }

        return detail;
    }

    private async Task<string?> EventAsync(PodReference pod, string name)
    {
        using CancellationTokenSource limit = new(s_eventTimeout);
        try
        {
            return await _api.LastEventAsync(pod, name, limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }
}
