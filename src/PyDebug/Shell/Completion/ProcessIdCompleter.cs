using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Internal;

namespace PyDebug.Completion;

/// <summary>
/// Completes the Python processes of the session that was typed: as -Session, in its place, or as the variable that the
/// pipeline begins with. It is asked in the debug container that is there; nothing is started.
/// </summary>
internal sealed class ProcessIdCompleter : LiveCompleter
{
    private const int MostArguments = 64;

    private PodDebugSession[] _sessions = [];

    private protected override void Prepare(CommandAst? command, IDictionary parameters)
    {
        object? given = parameters["Session"] ?? (Before(command) is string name ? Variable(name) : null);
        _sessions = LanguagePrimitives.TryConvertTo(given, out PodDebugSession[] sessions)
            ? [.. sessions.Where(s => s is not null)]
            : [];
    }

    /// <summary>A pod that does not answer says nothing about its server.</summary>
    private protected override string Way(IDictionary parameters)
        => string.Join('|', _sessions.Select(s => $"{s.PodUid}/{s.DebugContainer}").Prepend(base.Way(parameters)));

    private protected override async Task<IReadOnlyList<Offer>> AskAsync(IDictionary parameters, CancellationToken ct)
    {
        // Of several pods a number says nothing.
        if (_sessions is not [PodDebugSession session])
        {
            return [];
        }

        TeamPolicy policy = TeamPolicy.Installed();
        policy.CheckCmdlet("Get-PyProcess");
        ConnectionSettings named = Settings(parameters);
        ConnectionSettings way = named == ConnectionSettings.Default ? session.Connection ?? named : named;
        using GatewayPool gateways = new(_ => { }, policy: policy);
        PodWork work = new(session, way);
        work.AddAll();
        // Nobody reads what it says besides.
        PipelineWriter writer = new(Channel.CreateUnbounded<Action<AsyncCommandBase>>().Writer);
        List<Offer> offers = [];
        AgentRun run = new(gateways.Get(way), work, writer, nameof(ProcessIdCompleter), Limit);
        await run.AskAsync(
            Operations.Processes,
            new JsonObject(),
            (item, _) =>
            {
                if (item.Integer("pid") is int pid and > 0)
                {
                    offers.Add(new Offer($"{pid}", CommandLine.Join(item.Texts("command", MostArguments))));
                }

                return ValueTask.FromResult(true);
            },
            ct).ConfigureAwait(false);
        return offers;
    }

    /// <summary>It asks a session, not a server's lists.</summary>
    private protected override Task<IReadOnlyList<Offer>> AskAsync(
        KubeGateway gateway, IDictionary parameters, CancellationToken ct)
        => Task.FromResult<IReadOnlyList<Offer>>([]);

    /// <summary>The variable that stands alone at the beginning of the pipeline.</summary>
    private static string? Before(CommandAst? command)
        => command?.Parent is PipelineAst { PipelineElements: [CommandExpressionAst begin, CommandAst next, ..] }
            && next == command && begin.Expression is VariableExpressionAst first
            ? first.VariablePath.UserPath
            : null;

    /// <summary>A variable's value as it is; nothing is run for it.</summary>
    private static object? Variable(string name)
    {
        using PowerShell shell = PowerShell.Create(RunspaceMode.CurrentRunspace);
        const string Value = "param($name) , $ExecutionContext.SessionState.PSVariable.GetValue($name)";
        return shell.AddScript(Value, useLocalScope: true)
            .AddArgument(name)
            .Invoke().FirstOrDefault();
    }
}
