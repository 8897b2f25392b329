using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Finds or adds a debug container, and hands it over when it runs and sees its target.</summary>
internal sealed class DebugContainerStarter
{
    private const int MaxConflicts = 8;
    private const int BoundConflicts = 5;
    private static readonly string[] s_interpreters = ["python3", "python"];

    private readonly PodApi _api;
    private readonly AgentRunner _agents;
    private readonly DebugContainerRequest _request;
    private readonly StartWatcher _watcher;
    private readonly long _begun = Stopwatch.GetTimestamp();

    public DebugContainerStarter(PodApi api, AgentRunner agents, DebugContainerRequest request)
    {
        _api = api;
        _agents = agents;
        _request = request;
        _watcher = new StartWatcher(api, request.Progress);
    }

    private TimeSpan Left => _request.Timeout - Stopwatch.GetElapsedTime(_begun);

    public async Task<DebugContainerInfo> StartAsync(CancellationToken ct)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        // The watcher ends first, and knows more about it.
        limit.CancelAfter(_request.Timeout + TimeSpan.FromSeconds(5));
        try
        {
            return await RunAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new EngineException(
                Causes.StartTimeout,
                $"The debug container in pod '{_request.Pod}' was not ready within {_request.Timeout.TotalSeconds} s.");
        }
    }

    private async Task<DebugContainerInfo> RunAsync(CancellationToken ct)
    {
        PodInfo pod = await _api.GetAsync(_request.Pod, ct).ConfigureAwait(false);
        ContainerInfo target = StartChecks.Check(pod, _request.TargetContainer);
        DebugContainerPlan plan = new(_request, pod, target, _agents.Bundle.Keeper);
        if (!_request.Force && !_request.DryRunOnly
            && plan.Existing(pod) is DebugContainerInfo existing
            && await AdoptAsync(pod, existing, target, ct).ConfigureAwait(false) is DebugContainerInfo adopted)
        {
            return adopted;
        }

        Task<string?> memory = MemoryAsync(pod, ct);
        Task<bool?> mayExec = _api.MayAsync(pod.Reference.Namespace, "get", "exec", pod.Reference.Name, ct);
        string profile = await new ProfileChooser(_api, _request, pod, plan).ChooseAsync(ct).ConfigureAwait(false);
        if (await mayExec.ConfigureAwait(false) == false)
        {
            throw new EngineException(
                Causes.Forbidden,
                $"The server does not allow to exec in pod '{pod.Reference}', without which a debug container is of no "
                + "use; it takes the verbs get and create on pods/exec.")
            {
                StatusCode = 403,
            };
        }

        if (await memory.ConfigureAwait(false) is string warning)
        {
            _request.Warn?.Invoke(warning);
        }

        if (_request.DryRunOnly)
        {
            JsonObject wanted = plan.Container(profile, plan.Python, DateTime.UtcNow);
            return DebugContainerReader.Read(pod, wanted, reused: false)!;
        }

        EngineException? missing = null;
        foreach (string python in Interpreters(plan, pod, ref missing))
        {
            try
            {
                return await AddAsync(pod, plan, profile, python, ct).ConfigureAwait(false);
            }
            catch (EngineException e) when (e.Cause == Causes.PythonNotInImage)
            {
                missing = e;
            }
        }

        throw PatchErrors.With(
            missing!,
            Causes.PythonNotInImage,
            $"Image '{plan.Image}' of the debug container in pod '{pod.Reference}' has no Python that can be started; "
            + "-Image names another one.",
            new() { ["image"] = plan.Image });
    }

    /// <summary>
    /// The interpreters to try. One that an earlier container of ours did not find in this image is left out, as its
    /// entry would stay in the pod for nothing.
    /// </summary>
    private static List<string> Interpreters(DebugContainerPlan plan, PodInfo pod, ref EngineException? missing)
    {
        List<string> candidates = plan.Python == s_interpreters[0] ? [.. s_interpreters] : [plan.Python];
        foreach (DebugContainerInfo earlier in DebugContainerReader.Find(pod).Where(c => c.Image == plan.Image))
        {
            StartFailure? failure = earlier.State == DebugContainerReader.Running
                ? null
                : StartFailure.Judge(DebugContainerReader.State(pod, earlier.Name));
            if (failure?.Cause == Causes.PythonNotInImage && candidates.Remove(earlier.Python))
            {
                missing = new EngineException(failure.Cause, failure.Message) { ServerMessage = failure.Message };
            }
        }

        return candidates;
    }

    private async Task<DebugContainerInfo> AddAsync(
        PodInfo pod, DebugContainerPlan plan, string profile, string python, CancellationToken ct)
    {
        JsonObject container = plan.Container(profile, python, DateTime.UtcNow);
        string name = KubeJson.Text(container, "name")!;
        for (int conflicts = 0; ; conflicts++)
        {
            try
            {
                // Bound to the version that was looked at: of two starts at once one finds the other's container.
                await _api.AddContainerAsync(pod, container, conflicts < BoundConflicts, dryRun: false, ct)
                    .ConfigureAwait(false);
                break;
            }
            catch (EngineException e)
            {
                EngineException refusal = PatchErrors.Classify(
                    e, pod.Reference, profile, _request.CustomJson is not null);
                bool conflict = refusal.StatusCode == 409 && refusal.Cause != Causes.PodReplaced;
                bool unknown = refusal.Cause is Causes.ConnectionFailed or Causes.Timeout || refusal.StatusCode >= 500;
                if (conflicts >= MaxConflicts || !(conflict || unknown))
                {
                    throw refusal;
                }
            }

            await Task.Delay(Random.Shared.Next(20, 200) * (conflicts + 1), ct).ConfigureAwait(false);
            pod = await _api.GetAsync(pod.Reference, ct).ConfigureAwait(false);
            ContainerInfo target = StartChecks.Check(pod, plan.Target.Name);
            if (DebugContainerReader.Spec(pod, name) is not null)
            {
                break;
            }

            if (!_request.Force && plan.Existing(pod) is DebugContainerInfo other
                && await AdoptAsync(pod, other, target, ct).ConfigureAwait(false) is DebugContainerInfo adopted)
            {
                return adopted;
            }
        }

        _request.Progress?.Invoke($"Waiting for debug container '{name}'");
        PodInfo running = await _watcher.WaitAsync(pod.Reference, name, plan.Target, Left, ct).ConfigureAwait(false);
        await VerifyAsync(running, name, python, plan.Target, ct).ConfigureAwait(false);
        return DebugContainerReader.Read(running, DebugContainerReader.Spec(running, name)!, reused: false)!;
    }

    /// <summary>Takes a container that is there already; null when it turns out not to be usable.</summary>
    private async Task<DebugContainerInfo?> AdoptAsync(
        PodInfo pod, DebugContainerInfo existing, ContainerInfo target, CancellationToken ct)
    {
        if (existing.State != DebugContainerReader.Running)
        {
            _request.Progress?.Invoke($"Waiting for debug container '{existing.Name}', which is being started already");
            pod = await _watcher.WaitAsync(pod.Reference, existing.Name, target, Left, ct).ConfigureAwait(false);
            await VerifyAsync(pod, existing.Name, existing.Python, target, ct).ConfigureAwait(false);
        }
        else if (DateTime.UtcNow - existing.Started > DebugContainerLife.AfterLastUse / 2)
        {
            try
            {
                // It may be about to end: an agent in it begins its hour anew.
                await VerifyAsync(pod, existing.Name, existing.Python, target, ct).ConfigureAwait(false);
            }
            catch (EngineException e) when (e.Cause
                is Causes.AgentStartFailed or Causes.ExecFailed or Causes.OutcomeUnknown)
            {
                return null;
            }
        }

        return DebugContainerReader.Read(pod, DebugContainerReader.Spec(pod, existing.Name)!, reused: true);
    }

    private async Task VerifyAsync(PodInfo pod, string name, string python, ContainerInfo target, CancellationToken ct)
    {
        _request.Progress?.Invoke($"Checking that debug container '{name}' sees container '{target.Name}'");
        bool? visible = null;
        AgentRequest request = new() { Op = "probe", Body = new JsonObject { ["container"] = target.ContainerId } };
        await _agents.RunAsync(
            pod.Reference,
            name,
            python,
            request,
            (frame, _) =>
            {
                JsonObject? content = KubeJson.ParseObject(frame.Payload);
                if (frame.Kind == FrameKinds.Result && KubeJson.Text(content, "kind") == "probe")
                {
                    visible = KubeJson.Flag(content, "targetVisible");
                }

                if (frame.Kind == FrameKinds.Hello
                    && MemoryWarning(pod.Reference, KubeJson.Object(content, "memory")) is string warning)
                {
                    _request.Warn?.Invoke(warning);
                }

                return ValueTask.CompletedTask;
            },
            ct).ConfigureAwait(false);
        if (visible != true)
        {
            throw new EngineException(
                Causes.TargetNotVisible,
                $"Debug container '{name}' in pod '{pod.Reference}' does not see the processes of container "
                + $"'{target.Name}'; the node's container runtime may not share process namespaces.")
            {
                Detail = new Dictionary<string, string> { ["debugContainer"] = name },
            };
        }
    }

    private static string? MemoryWarning(PodReference pod, JsonObject? memory)
        => StartChecks.MemoryWarning(pod, KubeJson.Integer(memory, "limit"), KubeJson.Integer(memory, "used") ?? 0);

    private async Task<string?> MemoryAsync(PodInfo pod, CancellationToken ct)
    {
        long? limit = StartChecks.MemoryLimit(pod);
        return limit is null
            ? null
            : StartChecks.MemoryWarning(
                pod.Reference, limit, await _api.MemoryUsedAsync(pod.Reference, ct).ConfigureAwait(false));
    }
}
