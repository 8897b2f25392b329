using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Commands;

/// <summary>What one cmdlet asks of one debug container: a single exec serves all of it.</summary>
internal sealed class PodWork(PodDebugSession session, ConnectionSettings connection)
{
    private readonly SortedDictionary<int, double?> _processes = [];

    /// <summary>The session to ask through.</summary>
    public PodDebugSession Session { get; set; } = session;

    /// <summary>How its server is reached.</summary>
    public ConnectionSettings Connection { get; } = connection;

    /// <summary>Whether the whole container was asked for, not single processes.</summary>
    public bool WholeContainer { get; private set; }

    /// <summary>The processes asked for; empty for all of them.</summary>
    public IReadOnlyCollection<int> ProcessIds => WholeContainer ? [] : _processes.Keys;

    /// <summary>Asks for the whole container.</summary>
    public void AddAll() => WholeContainer = true;

    /// <summary>Asks for a process; its start time tells it from a later one with the same id.</summary>
    public void Add(int processId, double? started)
    {
        if (!_processes.TryGetValue(processId, out double? known) || known is null)
        {
            _processes[processId] = started;
        }
    }

    /// <summary>The request's fields that name the processes.</summary>
    public JsonObject Body()
    {
        JsonObject started = [];
        foreach ((int pid, double? time) in _processes)
        {
            if (time is double seconds)
            {
                started[pid.ToString(CultureInfo.InvariantCulture)] = seconds;
            }
        }

        JsonNode?[] pids = [.. ProcessIds.Select(p => (JsonNode?)p)];
        return new JsonObject
        {
            ["pids"] = WholeContainer || pids.Length == 0 ? null : new JsonArray(pids),
            ["started"] = started,
        };
    }
}
