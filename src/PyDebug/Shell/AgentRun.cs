using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>One request to the agent of one debug container, with what it says besides its results.</summary>
internal sealed class AgentRun(
    KubeGateway gateway,
    PodWork work,
    PipelineWriter writer,
    string activity,
    TimeSpan limit)
{
    private Func<string, PyDebugException, bool>? _onFailure;

    private readonly AnswerLimits _limits = new();

    private ProgressLine? _progress;

    private HeldFiles? _held;

    private readonly HashSet<(string Id, int? ProcessId)> _warned = [];

    private readonly HashSet<int> _failed = [];

    public PodWork Work { get; } = work;

    public PipelineWriter Writer { get; } = writer;

    public PodDebugSession Session => Work.Session;

    public KubeGateway Gateway { get; } = gateway;

    /// <summary>Whether the agent is to answer however little memory is left.</summary>
    public bool AllowLowMemory { get; init; }

    /// <summary>Whether the agent told of a failure.</summary>
    public bool HasFailed => Failures > 0;

    /// <summary>How many failures the agent told of.</summary>
    public int Failures { get; private set; }

    /// <summary>Whether anything came of an agent at all.</summary>
    public bool HasAnswered { get; private set; }

    /// <summary>Waits before a transfer that was cut is tried again.</summary>
    public Func<TimeSpan, CancellationToken, Task> Pause { get; init; } = Task.Delay;

    /// <summary>The time that the whole answer may take.</summary>
    public TimeSpan Limit { get; } = limit;

    /// <summary>Another request of the same kind: to the same container, or to that of other work.</summary>
    public AgentRun Anew(TimeSpan time, PodWork? other = null)
        => new(Gateway, other ?? Work, Writer, activity, time) { AllowLowMemory = AllowLowMemory, Pause = Pause };

    /// <summary>Asks and hands over every result. Warnings and failures of single processes are written.</summary>
    /// <param name="operation">The agent's operation.</param>
    /// <param name="body">The operation's own fields.</param>
    /// <param name="onResult">Takes a result; false says that it could not be read.</param>
    /// <param name="ct">Stops the request and the agent.</param>
    /// <param name="onFile">Takes chunks of a file.</param>
    /// <param name="provide">Opens what the agent asks for.</param>
    /// <param name="onFailure">Sees a failure before it is written; true says that it is dealt with.</param>
    /// <param name="within">What is left of the time that the answer may take; null for all of it.</param>
    public async Task AskAsync(
        string operation,
        JsonObject body,
        Func<JsonElement, CancellationToken, ValueTask<bool>> onResult,
        CancellationToken ct,
        Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask>? onFile = null,
        Func<JsonObject, CancellationToken, Task<Stream?>>? provide = null,
        Func<string, PyDebugException, bool>? onFailure = null,
        TimeSpan? within = null)
    {
        _onFailure = onFailure;
        _held = null;
        await VerifySessionAsync(ct).ConfigureAwait(false);
        // Where the containers of a pod share their processes, the target's are told from the others' by it.
        body["container"] ??= Session.TargetContainerId;
        body["shared"] = Session.SharesProcesses;
        using ProgressLine progress = new(Writer, activity, Session.Target());
        _progress = progress;
        PodReference pod = new() { Namespace = Session.Namespace, Name = Session.PodName, Uid = Session.PodUid };
        AgentRequest request = Request(operation, body, within ?? Limit);
        AgentOutcome outcome;
        try
        {
            outcome = await RunAsync(request, ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (
            _held?.OutlivesCut == true && TransferTries.IsCut(e) && !ct.IsCancellationRequested)
        {
            outcome = await GoOnAsync(_held, e).ConfigureAwait(false);
        }
        catch (PyDebugException e)
        {
            // It happened here, while the agent was at work.
            e.Phase ??= request.Phase;
            e.RemoteState = request.RemoteState ?? e.RemoteState;
            throw;
        }

        if (outcome.ExitCode != 0 && !HasFailed)
        {
            throw ErrorFactory.Local(
                AgentCause.Internal,
                $"The agent in {Session} ended with exit code {outcome.ExitCode}: {LastLine(outcome.StandardError)}",
                Session.Target());
        }

        AgentRequest Request(string op, JsonObject asked, TimeSpan time)
            => new() { Op = op, Body = asked, Deadline = time, Provide = provide, AllowLowMemory = AllowLowMemory };

        Task<AgentOutcome> RunAsync(AgentRequest asked, CancellationToken stop)
            => Gateway.RunAgentAsync(pod, Session.DebugContainer, Session.Python, asked, OnFrameAsync, stop);

        // The rest of the files that the agent, or what is left of it, keeps for a while. What would have come behind
        // them is asked for anew where it is said what that is; else it is lost.
        async Task<AgentOutcome> GoOnAsync(HeldFiles held, EngineException cut)
        {
            int failures = Failures;
            AgentOutcome rest = new() { ExitCode = 0, StandardError = "" };
            bool isLost = false;
            await new TransferTries(this).RunAsync(
                async (_, left, stop) =>
                {
                    while (Next(held) is (string op, JsonObject asked))
                    {
                        try
                        {
                            rest = await RunAsync(Request(op, asked, left), stop).ConfigureAwait(false);
                            isLost = !held.IsWhole && Failures == failures;
                            if (!held.IsWhole || op != Operations.Held)
                            {
                                return;
                            }
                        }
                        catch (EngineException e) when (
                            _held is { IsWhole: true, IsLast: true } && TransferTries.IsCut(e))
                        {
                            // All of it is here.
                            return;
                        }
                        finally
                        {
                            held = _held ?? held;
                        }
                    }

                    isLost = !held.IsLast && held.Rest.Count == 0;
                },
                () => (_held ?? held).Moved,
                ct,
                cut).ConfigureAwait(false);
            return isLost ? throw cut : rest;
        }

        (string Op, JsonObject Asked)? Next(HeldFiles held)
        {
            if (!held.IsWhole)
            {
                return (Operations.Held, held.Question());
            }

            int[] left = [.. held.Rest.Where(pid => !_failed.Contains(pid))];
            JsonObject again = (JsonObject)body.DeepClone();
            again["rest"] = new JsonArray([.. left.Select(pid => (JsonNode)pid)]);
            return held.IsLast || left.Length == 0 ? null : (operation, again);
        }

        async ValueTask OnFrameAsync(AgentFrame frame, CancellationToken stop)
        {
            try
            {
                HasAnswered = true;
                _limits.Count(frame.Kind, frame.Payload.Length);
                await TakeAsync(frame, stop).ConfigureAwait(false);
            }
            catch (LimitExceededException e)
            {
                // Whoever sends too much is stopped, and what it would have said is not waited for.
                Failures++;
                throw ErrorFactory.Local(LocalCause.LimitExceeded, e.Message, Session.Target());
            }
        }

        async ValueTask TakeAsync(AgentFrame frame, CancellationToken stop)
        {
            if (frame.Kind is FrameKinds.File or FrameKinds.HashedFile)
            {
                await (onFile
                    ?? throw new LimitExceededException("The debug container sent a file that nobody asked for."))(
                    frame.Payload, stop).ConfigureAwait(false);
                _held?.Add(frame.Payload);
                return;
            }

            using JsonDocument? document = Json.Parse(frame.Payload);
            JsonElement item = document?.RootElement ?? default;
            switch (frame.Kind)
            {
                case FrameKinds.Result when onFile is not null && item.Text("kind") == "held":
                    _held = HeldFiles.Next(item, _held);
                    break;
                case FrameKinds.Result:
                    _held?.Add(item.Text("kind"));
                    if (document is null || !await onResult(item, stop).ConfigureAwait(false))
                    {
                        await FailAsync(
                            LocalCause.ResultInvalid,
                            "An answer of the agent could not be read.",
                            item: null,
                            stop).ConfigureAwait(false);
                    }

                    break;
                case FrameKinds.Progress:
                    ShowProgress(item);
                    break;
                case FrameKinds.Warning:
                    await WarnAsync(item, stop).ConfigureAwait(false);
                    break;
                case FrameKinds.Failure:
                    await FailAsync(
                        PodFacts.CauseOf(item),
                        item.Text("message") ?? "The agent failed and did not say why.",
                        item,
                        stop).ConfigureAwait(false);
                    break;
            }
        }
    }

    /// <summary>Shows how far the work is, while the agent is asked.</summary>
    public void Show(string text, int percent) => _progress?.Show(text, percent);

    /// <summary>Writes what the agent said of a process as a whole.</summary>
    public async Task RemarkAsync(StackSnapshot said, int processId, CancellationToken ct)
    {
        foreach (string warning in said.Warnings)
        {
            await Writer.WriteWarningAsync($"{Session.Target(processId)}: {warning}", ct).ConfigureAwait(false);
        }

        foreach (string note in said.Notes)
        {
            await Writer.WriteVerboseAsync($"{Session.Target(processId)}: {note}", ct).ConfigureAwait(false);
        }
    }

    /// <summary>Whether the agent warned of this, and the warning was written.</summary>
    /// <param name="id">One of <see cref="AgentWarning"/>.</param>
    /// <param name="processId">The process that it was about.</param>
    public bool HasWarned(string id, int? processId) => _warned.Contains((id, processId));

    /// <summary>Writes a hint, where there is one.</summary>
    public async Task HintAsync(string? hint, int processId, CancellationToken ct)
    {
        if (hint is not null)
        {
            await Writer.WriteWarningAsync($"{Session.Target(processId)}: {hint}", ct).ConfigureAwait(false);
        }
    }

    private static string LastLine(string text)
        => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault()
            ?? "it said nothing.";

    /// <summary>
    /// Looks up what a session made from JSON says. A file may name any container, and nothing is run in one that
    /// PyDebug did not start.
    /// </summary>
    private async Task VerifySessionAsync(CancellationToken ct)
    {
        if (!Session.IsVerified)
        {
            Work.Session = await Sessions.VerifyAsync(Gateway, Session, ct).ConfigureAwait(false);
        }
    }

    /// <summary>Whether a target whose processes lie beside those of others is another container by now.</summary>
    private async Task<bool> HasRestartedAsync(CancellationToken ct)
    {
        try
        {
            PodInfo pod = await Gateway.GetPodAsync(Session.Namespace, Session.PodName, ct).ConfigureAwait(false);
            ContainerInfo? target = pod.Find(Session.ContainerName);
            return Session.SharesProcesses && pod.Reference.Uid == Session.PodUid
                && target is not null && target.ContainerId != Session.TargetContainerId;
        }
        catch (EngineException)
        {
            return false;
        }
    }

    private void ShowProgress(JsonElement item)
    {
        double? total = item.Number("total");
        int percent = total > 0 && item.Number("done") is double done
            ? (int)Math.Clamp(100 * done / total.Value, 0, 100)
            : -1;
        _progress?.Show(item.Text("text") ?? "", percent);
    }

    private async Task WarnAsync(JsonElement item, CancellationToken ct)
    {
        _warned.Add((item.Text("id") ?? "", item.Integer("pid")));
        string where = item.Integer("pid") is int pid ? $"{Session.Target(pid)}: " : $"{Session.Target()}: ";
        await Writer.WriteWarningAsync(where + (item.Text("message") ?? ""), ct).ConfigureAwait(false);
    }

    private async Task FailAsync(string cause, string message, JsonElement? item, CancellationToken ct)
    {
        Failures++;
        if (item?.Integer("pid") is int failed)
        {
            _failed.Add(failed);
        }

        Dictionary<string, string> detail = item is JsonElement frame ? new(PodFacts.Of(frame)) : [];
        detail["debugContainer"] = Session.DebugContainer;
        detail["sessionProfile"] = Session.Profile;
        detail["sessionUser"] = Session.User ?? "";
        if (cause == AgentCause.TargetNotVisible && await HasRestartedAsync(ct).ConfigureAwait(false))
        {
            cause = Causes.TargetRestarted;
            message = $"Container '{Session.ContainerName}' of pod '{Session.Namespace}/{Session.PodName}' was started "
                + "again since the session was made.";
        }

        PyDebugException failure = ErrorFactory.Local(cause, message, Session.Target(item?.Integer("pid")), detail);
        failure.Phase = Phases.Run;
        failure.RemoteState = RemoteStates.Stopped;
        if (_onFailure?.Invoke(cause, failure) != true)
        {
            await Writer.WriteErrorAsync(failure.ErrorRecord, ct).ConfigureAwait(false);
        }
    }
}
