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

    private readonly PodApi _api;
    private readonly AgentRunner _agents;
    private readonly TeamPolicy _policy;
    private readonly DebugContainerRequest _request;
    private readonly StartWatcher _watcher;
    private readonly long _begun = Stopwatch.GetTimestamp();
    private bool _added;

    public DebugContainerStarter(PodApi api, AgentRunner agents, TeamPolicy policy, DebugContainerRequest request)
    {
        _api = api;
        _agents = agents;
        _policy = policy;
        _request = policy.Life is TimeSpan life && life < (request.Life ?? DebugContainerLife.Longest)
            ? request with { Life = life }
            : request;
        _watcher = new StartWatcher(api, request.Progress);
    }

    private KeeperProgram Keeper => _agents.Bundle.Keeper;

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
        catch (EngineException e)
        {
            // The look into the container that ends a start is part of it.
            e.Phase = Patience.IsOfTheWay(e) ? Phases.Connect : Phases.Start;
            e.RemoteState = StateAfter(e);
            throw;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            string why = _api.Outage is string outage ? $": {outage.TrimEnd('.')}" : string.Empty;
            throw new EngineException(
                Causes.StartTimeout,
                $"The debug container in pod '{_request.Pod}' was not ready within "
                    + $"{_request.Timeout.TotalSeconds} s{why}.")
                .At(Phases.Start, _added ? RemoteStates.MayBeRunning : RemoteStates.NotStarted);
        }
    }

    private string StateAfter(EngineException e)
        => !_added ? RemoteStates.NotStarted
            : e.Cause is Causes.ContainerStartFailed or Causes.PythonNotInImage or Causes.DebugContainerGone
                or Causes.PodNotFound or Causes.PodReplaced ? RemoteStates.Stopped
            : RemoteStates.MayBeRunning;

    private async Task<DebugContainerInfo> RunAsync(CancellationToken ct)
    {
        PodInfo pod = _request.Known ?? await _api.GetAsync(_request.Pod, ct).ConfigureAwait(false);
        ContainerInfo target = StartChecks.Check(pod, _request.TargetContainer);
        await VirtualNode.CheckAsync(_api, pod, ct).ConfigureAwait(false);
        DebugContainerPlan plan = new(_request, pod, target, Keeper) { Now = _api.Now };
        plan.Check(_policy);
        // What only an addition needs is asked meanwhile where there is nothing that could be taken.
        bool mayReuse = !_request.Force && !_request.DryRunOnly && plan.HasCandidates(pod);
        Task? memory = mayReuse ? null : PodMemory.CheckAsync(_api, pod, _request, ct);
        Task<string?>? caller = mayReuse ? null : _api.CallerAsync(ct);
        Task? permissions = mayReuse ? null : MustExecAsync(pod, ct);
        ProfileChoice choice = await new ProfileChooser(_api, _policy, _request, pod, plan).ChooseAsync(ct)
            .ConfigureAwait(false);
        _request.Tell?.Invoke($"A dry run in pod '{_request.Pod}' accepts profile {choice.Profile}.");
        if (mayReuse && plan.Existing(pod, choice) is DebugContainerInfo existing
            && await AdoptAsync(pod, existing, target, ct).ConfigureAwait(false) is DebugContainerInfo adopted)
        {
            _request.Tell?.Invoke($"Debug container '{adopted.Name}' of pod '{_request.Pod}' is used again.");
            TellOfChanges(choice);
            return adopted;
        }

        await (permissions ?? MustExecAsync(pod, ct)).ConfigureAwait(false);
        if (choice.Warning is string other)
        {
            _request.Warn?.Invoke(other);
        }

        TellOfChanges(choice);
        await (memory ?? PodMemory.CheckAsync(_api, pod, _request, ct)).ConfigureAwait(false);
        if (_request.DryRunOnly)
        {
            return DebugContainerReader.Read(pod, choice.Made, Keeper, reused: false)!;
        }

        string? user = await (caller ?? _api.CallerAsync(ct)).ConfigureAwait(false);
        EngineException? missing = null;
        List<string> candidates = Interpreters(plan, pod, ref missing);
        bool asked = false;
        for (int next = 0; ; next++)
        {
            // Each that does not start leaves an entry in the pod: what runs is looked at before there is a second one.
            if (missing is not null && !asked)
            {
                asked = true;
                if (await BesideRunningAsync(plan, ct).ConfigureAwait(false) is DebugContainerInfo found)
                {
                    return found;
                }
            }

            if (next == candidates.Count)
            {
                break;
            }

            try
            {
                return await AddAsync(pod, plan, choice, candidates[next], user, ct).ConfigureAwait(false);
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

    /// <summary>Starts with the Python beside a program that runs in the target; null where that is no way.</summary>
    private async Task<DebugContainerInfo?> BesideRunningAsync(DebugContainerPlan plan, CancellationToken ct)
    {
        if (plan.Image != plan.Target.Image || _request.Environment.ContainsKey(RunningInterpreter.Variable))
        {
            return null;
        }

        _request.Progress?.Invoke($"Looking for the Python that runs in container '{plan.Target.Name}'");
        string? path = await RunningInterpreter.FindPathAsync(_agents, _request.Pod, plan.Target.Name, ct)
            .ConfigureAwait(false);
        if (path is null)
        {
            return null;
        }

        _request.Tell?.Invoke($"The image has no Python on its PATH; PATH={path} has the one that runs.");
        Dictionary<string, string> environment = new(_request.Environment) { [RunningInterpreter.Variable] = path };
        DebugContainerRequest again = _request with { Environment = environment, Timeout = Left };
        return await new DebugContainerStarter(_api, _agents, _policy, again).RunAsync(ct).ConfigureAwait(false);
    }

    /// <summary>
    /// The interpreters to try. One that an earlier container of ours did not find in this image is left out, as its
    /// entry would stay in the pod for nothing.
    /// </summary>
    private List<string> Interpreters(DebugContainerPlan plan, PodInfo pod, ref EngineException? missing)
    {
        List<string> candidates = [.. plan.Interpreters];
        IEnumerable<DebugContainerInfo> alike = DebugContainerReader.Find(pod, Keeper)
            .Where(c => c.Image == plan.Image && c.SpecHash == plan.Spec);
        foreach (DebugContainerInfo earlier in alike)
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
        PodInfo pod,
        DebugContainerPlan plan,
        ProfileChoice choice,
        string python,
        string? user,
        CancellationToken ct)
    {
        JsonObject container = plan.Container(choice.Profile, python, _api.Now, user);
        string name = KubeJson.Text(container, "name")!;
        Patience patience = _api.NewPatience();
        for (int conflicts = 0; ; )
        {
            try
            {
                // Bound to the version that was looked at: of two starts at once one finds the other's container.
                await _api.AddContainerAsync(pod, container, conflicts < BoundConflicts, dryRun: false, ct)
                    .ConfigureAwait(false);
                _added = true;
                break;
            }
            catch (EngineException e)
            {
                EngineException refusal = PatchErrors.Classify(
                    e, pod.Reference, choice.Profile, _request.CustomJson is not null);
                bool conflict = refusal.StatusCode == 409 && refusal.Cause != Causes.PodReplaced;
                bool unknown = refusal.Cause is Causes.ConnectionFailed or Causes.Timeout || refusal.StatusCode >= 500;
                _added |= unknown && !refusal.NotSent;
                if (conflicts >= MaxConflicts || !(conflict || unknown))
                {
                    throw refusal;
                }

                if (Patience.MayPass(refusal))
                {
                    await patience.PauseAsync(refusal, ct).ConfigureAwait(false);
                }
                else
                {
                    await Task.Delay(Random.Shared.Next(20, 200) * ++conflicts, ct).ConfigureAwait(false);
                }
            }

            pod = await _api.GetAsync(pod.Reference, ct).ConfigureAwait(false);
            ContainerInfo target = StartChecks.Check(pod, plan.Target.Name);
            if (DebugContainerReader.Spec(pod, name) is not null)
            {
                break;
            }

            if (!_request.Force && plan.Existing(pod, choice) is DebugContainerInfo other
                && await AdoptAsync(pod, other, target, ct).ConfigureAwait(false) is DebugContainerInfo adopted)
            {
                return adopted;
            }
        }

        _request.Progress?.Invoke($"Waiting for debug container '{name}'");
        PodInfo running = await _watcher.WaitAsync(pod.Reference, name, plan.Target, Left, ct).ConfigureAwait(false);
        await VerifyAsync(running, name, python, plan.Target, isNew: true, ct).ConfigureAwait(false);
        return Describe(running, name, reused: false);
    }

    /// <summary>The container as it is; that it is ours was seen by what the server makes of our request.</summary>
    private DebugContainerInfo Describe(PodInfo pod, string name, bool reused)
        => DebugContainerReader.Read(pod, DebugContainerReader.Spec(pod, name)!, Keeper, reused)!
            with { IsOurs = true };

    private void TellOfChanges(ProfileChoice choice)
    {
        IReadOnlyList<string> changes = ContainerMatch.Changes(choice);
        if (changes.Count > 0)
        {
            _request.Warn?.Invoke(
                $"The cluster changes the debug container that is asked for: {string.Join(", ", changes)}. It is used "
                + "as it is.");
        }
    }

    /// <summary>Makes sure that an entry which cannot be removed again will be of use.</summary>
    private Task MustExecAsync(PodInfo pod, CancellationToken ct)
        => Task.WhenAll(MustExecAsync(pod, "get", ct), MustExecAsync(pod, "create", ct));

    private async Task MustExecAsync(PodInfo pod, string verb, CancellationToken ct)
    {
        if (await _api.MayAsync(pod.Reference.Namespace, verb, "exec", pod.Reference.Name, ct).ConfigureAwait(false)
            == false)
        {
            throw new EngineException(
                Causes.Forbidden,
                $"The server does not allow to exec in pod '{pod.Reference}', without which a debug container is of no "
                + $"use: the verb {verb} on pods/exec is missing; it takes get and create.")
            {
                StatusCode = 403,
            };
        }
    }

    /// <summary>Takes a container that is there already; null when it turns out not to be usable.</summary>
    private async Task<DebugContainerInfo?> AdoptAsync(
        PodInfo pod, DebugContainerInfo existing, ContainerInfo target, CancellationToken ct)
    {
        if (existing.State != DebugContainerReader.Running)
        {
            _request.Progress?.Invoke($"Waiting for debug container '{existing.Name}', which is being started already");
            pod = await _watcher.WaitAsync(pod.Reference, existing.Name, target, Left, ct).ConfigureAwait(false);
            await VerifyAsync(pod, existing.Name, existing.Python, target, isNew: false, ct).ConfigureAwait(false);
        }
        else if (_api.Now - existing.Started > existing.AfterLastUse / 2 || existing.Started < target.Started)
        {
            try
            {
                // It may be about to end: an agent in it begins its time anew. And it may be that of an earlier target.
                await VerifyAsync(pod, existing.Name, existing.Python, target, isNew: false, ct).ConfigureAwait(false);
            }
            catch (EngineException e) when (e.Cause is Causes.AgentStartFailed or Causes.ExecFailed
                or Causes.OutcomeUnknown or Causes.DebugContainerGone or Causes.TargetNotVisible)
            {
                return null;
            }
        }

        return Describe(pod, existing.Name, reused: true);
    }

    private async Task VerifyAsync(
        PodInfo pod, string name, string python, ContainerInfo target, bool isNew, CancellationToken ct)
    {
        _request.Progress?.Invoke($"Checking that debug container '{name}' sees container '{target.Name}'");
        bool? visible = null;
        JsonObject? low = null;
        AgentRequest request = new()
        {
            Op = Operations.Probe,
            Body = new JsonObject { ["container"] = target.ContainerId, ["shared"] = pod.SharesProcesses },
            AllowLowMemory = _request.AllowLowMemory,
            NewContainer = isNew,
            ConnectWithin = Left,
        };
        Patience patience = _api.NewPatience();
        for (bool isDone = false; !isDone;)
        {
            try
            {
                await _agents.RunAsync(pod.Reference, name, python, request, TakeAsync, ct).ConfigureAwait(false);
                isDone = true;
            }
            catch (EngineException e) when (GoneDiagnosis.MayBeGone(e) && !ct.IsCancellationRequested)
            {
                string needs = isNew ? PodMemory.StartNeed(pod) : AgentModules.NeedOf(request);
                EngineException why = await GoneDiagnosis
                    .ExplainAsync(_api, pod.Reference, name, needs, e, ct).ConfigureAwait(false);
                // The look changes nothing: one that was cut is made again.
                if (why != e || e.Detail?.ContainsKey(AgentExchange.Cut) != true)
                {
                    throw why;
                }

                await patience.PauseAsync(e, ct).ConfigureAwait(false);
                (visible, low) = (null, null);
            }
        }

        if (low is not null)
        {
            throw PodMemory.RefusedWithin(low, name, isNew);
        }

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

        ValueTask TakeAsync(AgentFrame frame, CancellationToken stop)
        {
            JsonObject? content = KubeJson.ParseObject(frame.Payload);
            if (frame.Kind == FrameKinds.Result && KubeJson.Text(content, "kind") == "probe")
            {
                visible = KubeJson.Flag(content, "targetVisible");
            }

            if (frame.Kind == FrameKinds.Failure && KubeJson.Text(content, "cause") == Causes.MemoryLow)
            {
                low = content;
            }

            return ValueTask.CompletedTask;
        }
    }
}
