using System;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Starts an agent in a debug container and has it answer one request.</summary>
internal sealed class AgentRunner
{
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
        ExecSession session = await _connector.ConnectAsync(exec, ct).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            return await new AgentExchange(session, request, _timing, onFrame)
                .RunAsync(Bundle.StartUp, ct).ConfigureAwait(false);
        }
    }
}
