using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Starts an agent in a debug container and has it answer one request.</summary>
internal sealed class AgentRunner
{
    private static readonly TimeSpan s_longestWait = TimeSpan.FromMinutes(2);

    /// <summary>How long a server that is away is waited for where the answer can be done without.</summary>
    private static readonly TimeSpan s_moment = TimeSpan.FromSeconds(5);

    private readonly ExecConnector _connector;
    private readonly AgentTiming _timing;

    public AgentRunner(ExecConnector connector, AgentBundle bundle, AgentTiming timing)
    {
        _connector = connector;
        Bundle = bundle;
        _timing = timing;
    }

    public AgentBundle Bundle { get; }

    public async Task<AgentOutcome> RunAsync(
        PodReference pod,
        string container,
        string python,
        AgentRequest request,
        Func<AgentFrame, CancellationToken, ValueTask> onFrame,
        CancellationToken ct)
    {
        ExecRequest exec = new()
        {
            Namespace = pod.Namespace,
            PodName = pod.Name,
            Container = container,
            Command = [python, "-I", "-S", "-B", "-c", Bundle.Boot],
        };
        TimeSpan within = request.ConnectWithin
            ?? (request.Deadline < s_longestWait ? request.Deadline : s_longestWait);
        request.Phase = Phases.Connect;
        request.RemoteState = RemoteStates.NotStarted;
        try
        {
            string key = KeptCode.Key(pod, container, python);
            IReadOnlyList<KeptFile> kept = Bundle.Kept.Of(key);
            while (true)
            {
                ExecSession session = await _connector.ConnectAsync(exec, within, ct).ConfigureAwait(false);
                await using (session.ConfigureAwait(false))
                {
                    AgentExchange exchange = new(
                        session, request, _timing, onFrame, told => Bundle.Kept.Note(key, told));
                    AgentOutcome? outcome = await exchange
                        .RunAsync(Bundle.StartUp(request, kept), kept.Count > 0, ct).ConfigureAwait(false);
                    if (outcome is not null)
                    {
                        return outcome;
                    }
                }

                Bundle.Kept.Forget(key);
                kept = [];
            }
        }
        catch (EngineException e)
        {
            string? state = e.Cause == Causes.ProtocolError && request.RemoteState == RemoteStates.MayBeRunning
                ? RemoteStates.Unknown
                : request.RemoteState;
            throw e.At(request.Phase, state);
        }
    }

    /// <summary>Runs a command that needs no input, and returns the beginning of what it writes.</summary>
    public async Task<string> OutputAsync(
        PodReference pod, string container, IReadOnlyList<string> command, int most, CancellationToken ct)
    {
        ExecRequest exec = new()
        {
            Namespace = pod.Namespace, PodName = pod.Name, Container = container, Command = command,
        };
        ExecSession session = await _connector.ConnectAsync(exec, s_moment, ct).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            byte[] output = new byte[most];
            int length = 0;
            int read;
            do
            {
                read = await session.Demuxer.Output.ReadAsync(output.AsMemory(length), ct).ConfigureAwait(false);
                length += read;
            }
            while (read > 0 && length < most);

            return Encoding.UTF8.GetString(output, 0, length);
        }
    }
}
