using System;
using System.Collections.Generic;
using System.Management.Automation;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Commands;

/// <summary>
/// Base of cmdlets that ask a debug container. What comes through the pipeline is gathered by container, so that one
/// exec serves all processes of a pod; several pods are asked side by side.
/// </summary>
public abstract class SessionCommandBase : KubernetesCommandBase
{
    /// <summary>The parameter set for sessions.</summary>
    protected const string SessionSet = "Session";

    /// <summary>The parameter set for processes.</summary>
    protected const string ProcessSet = "Process";

    private readonly Dictionary<(ConnectionSettings, string, string, string), PodWork> _works = [];

    private string _command = "";

    /// <summary>Sessions from <c>Start-PodDebug</c> or <c>Get-PodDebug</c>, also from JSON or CLIXML.</summary>
    [Parameter(
        Mandatory = true,
        Position = 0,
        ParameterSetName = SessionSet,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SessionInput]
    public virtual PodDebugSession[] Session { get; set; } = [];

    /// <summary>The most pods that are asked at the same time.</summary>
    [Parameter]
    [ValidateRange(1, 256)]
    public int ThrottleLimit { get; set; } = 8;

    /// <summary>The most seconds that one pod's answer may take.</summary>
    [Parameter]
    [ValidateRange(1, 43_200)]
    [Alias("Timeout")]
    public int TimeoutSeconds { get; set; } = 60;

    /// <summary>Notes what the pipeline brings.</summary>
    protected override void ProcessRecord()
    {
        foreach (PodDebugSession session in Session)
        {
            AddSession(session);
        }
    }

    /// <summary>Asks all pods.</summary>
    protected override void EndProcessing()
    {
        if (_works.Count == 0)
        {
            return;
        }

        _command = MyInvocation.MyCommand.Name;
        RunConnected(AskAllAsync);
    }

    /// <summary>How many pods have been named.</summary>
    private protected int PodCount => _works.Count;

    /// <summary>How many pods are asked at the same time.</summary>
    private protected virtual int AtOnce => ThrottleLimit;

    /// <summary>Asks all pods.</summary>
    private protected virtual Task AskAllAsync(GatewayPool gateways, PipelineWriter writer, CancellationToken ct)
        => ForEachAsync(
            _works.Values,
            AtOnce,
            writer,
            work => work.Session.Target(),
            (work, stop) => AskAsync(
                new AgentRun(gateways.Get(work.Connection), work, writer, _command, Limit)
                {
                    AllowLowMemory = MayTakeTheLast,
                },
                stop),
            ct);

    /// <summary>The time that one pod's answer may take.</summary>
    private protected virtual TimeSpan Limit => TimeSpan.FromSeconds(TimeoutSeconds);

    /// <summary>Whether it is to be done however little memory is left.</summary>
    private protected virtual bool MayTakeTheLast => false;

    /// <summary>The processes that a session is asked about; null for all.</summary>
    private protected virtual int[]? WantedProcesses => null;

    /// <summary>Asks one pod and writes its answer.</summary>
    private protected abstract Task AskAsync(AgentRun run, CancellationToken ct);

    /// <summary>Notes a session.</summary>
    private protected void AddSession(PodDebugSession session)
    {
        PodWork work = Work(session);
        if (WantedProcesses is not int[] wanted)
        {
            work.AddAll();
            return;
        }

        foreach (int processId in wanted)
        {
            work.Add(processId, started: null);
        }
    }

    /// <summary>Notes a process.</summary>
    private protected void AddProcess(PyProcess process)
    {
        PodDebugSession session = process.Session ?? new PodDebugSession
        {
            Namespace = process.Namespace,
            PodName = process.PodName,
            ContainerName = process.ContainerName,
            NodeName = process.NodeName,
            DebugContainer = process.DebugContainer,
            PodUid = process.PodUid,
        };
        double? started = process.StartTime is DateTime time ? (time - DateTime.UnixEpoch).TotalSeconds : null;
        Work(session).Add(process.ProcessId, started);
    }

    private PodWork Work(PodDebugSession session)
    {
        ConnectionSettings connection = Named ?? session.Connection ?? ConnectionSettings.Default;
        (ConnectionSettings, string, string, string) key =
            (connection, session.Namespace, session.PodName, session.DebugContainer);
        if (!_works.TryGetValue(key, out PodWork? work))
        {
            work = new PodWork(session, connection);
            _works.Add(key, work);
        }

        return work;
    }
}
