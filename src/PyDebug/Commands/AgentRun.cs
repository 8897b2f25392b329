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

    private ProgressLine? _progress;

    public PodWork Work { get; } = work;

    public PipelineWriter Writer { get; } = writer;

    public PodDebugSession Session => Work.Session;

    public KubeGateway Gateway { get; } = gateway;

    /// <summary>Whether the agent told of a failure.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Asks and hands over every result. Warnings and failures of single processes are written.</summary>
    /// <param name="operation">The agent's operation.</param>
    /// <param name="body">The operation's own fields.</param>
    /// <param name="onResult">Takes a result; false says that it could not be read.</param>
    /// <param name="ct">Stops the request and the agent.</param>
    /// <param name="onFile">Takes chunks of a file.</param>
    /// <param name="provide">Opens what the agent asks for.</param>
    /// <param name="onFailure">Sees a failure before it is written; true says that it is dealt with.</param>
    public async Task AskAsync(
        string operation,
        JsonObject body,
        Func<JsonElement, CancellationToken, ValueTask<bool>> onResult,
        CancellationToken ct,
        Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask>? onFile = null,
        Func<JsonObject, CancellationToken, Task<Stream?>>? provide = null,
        Func<string, PyDebugException, bool>? onFailure = null)
    {
        _onFailure = onFailure;
        await CompleteSessionAsync(ct).ConfigureAwait(false);
        using ProgressLine progress = new(Writer, activity, Session.Target());
        _progress = progress;
        AgentRequest request = new() { Op = operation, Body = body, Deadline = limit, Provide = provide };
        PodReference pod = new() { Namespace = Session.Namespace, Name = Session.PodName, Uid = Session.PodUid };
        AgentOutcome outcome = await Gateway.RunAgentAsync(
            pod, Session.DebugContainer, Session.Python, request, OnFrameAsync, ct).ConfigureAwait(false);
        if (outcome.ExitCode != 0 && !HasFailed)
        {
            throw ErrorFactory.Local(
                AgentCause.Internal,
                $"The agent in {Session} ended with exit code {outcome.ExitCode}: {LastLine(outcome.StandardError)}",
                Session.Target());
        }

        async ValueTask OnFrameAsync(AgentFrame frame, CancellationToken stop)
        {
            if (frame.Kind == 'F')
            {
                if (onFile is not null)
                {
                    await onFile(frame.Payload, stop).ConfigureAwait(false);
                }

                return;
            }

            using JsonDocument? document = Json.Parse(frame.Payload);
            JsonElement item = document?.RootElement ?? default;
            switch (frame.Kind)
            {
                case 'R':
                    if (document is null || !await onResult(item, stop).ConfigureAwait(false))
                    {
                        await FailAsync(
                            LocalCause.ResultInvalid,
                            "An answer of the agent could not be read.",
                            item: null,
                            stop).ConfigureAwait(false);
                    }

                    break;
                case 'P':
                    ShowProgress(item);
                    break;
                case 'W':
                    await WarnAsync(item, stop).ConfigureAwait(false);
                    break;
                case 'E':
                    await FailAsync(
                        item.Text("cause") ?? AgentCause.Internal,
                        item.Text("message") ?? "The agent failed and did not say why.",
                        item,
                        stop).ConfigureAwait(false);
                    break;
            }
        }
    }

    private static string LastLine(string text)
        => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault()
            ?? "it said nothing.";

    /// <summary>Finds the interpreter again that a process made from JSON does not carry.</summary>
    private async Task CompleteSessionAsync(CancellationToken ct)
    {
        if (Session.Python.Length > 0)
        {
            return;
        }

        PodInfo pod = await Gateway.GetPodAsync(Session.Namespace, Session.PodName, ct).ConfigureAwait(false);
        DebugContainerInfo? container = pod.Reference.Uid == Session.PodUid
            ? Gateway.FindDebugContainers(pod).FirstOrDefault(c => c.Name == Session.DebugContainer)
            : null;
        if (container is null)
        {
            throw ErrorFactory.Local(
                Causes.DebugContainerGone,
                $"Debug container '{Session.DebugContainer}' is not in pod '{Session.Namespace}/{Session.PodName}'.",
                Session.Target());
        }

        Work.Session = Sessions.From(container, pod, Session.Connection);
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
        string where = item.Integer("pid") is int pid ? $"{Session.Target(pid)}: " : $"{Session.Target()}: ";
        await Writer.WriteWarningAsync(where + (item.Text("message") ?? ""), ct).ConfigureAwait(false);
    }

    private async Task FailAsync(string cause, string message, JsonElement? item, CancellationToken ct)
    {
        HasFailed = true;
        IReadOnlyDictionary<string, string> detail = item?.Facts("detail") ?? new Dictionary<string, string>();
        PyDebugException failure = ErrorFactory.Local(cause, message, Session.Target(item?.Integer("pid")), detail);
        if (_onFailure?.Invoke(cause, failure) != true)
        {
            await Writer.WriteErrorAsync(failure.ErrorRecord, ct).ConfigureAwait(false);
        }
    }
}
