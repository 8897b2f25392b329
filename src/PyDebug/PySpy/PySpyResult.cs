using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using PyDebug.Internal;

namespace PyDebug.Tools.PySpy;

/// <summary>What the agent says about one run of py-spy, before the file that the run wrote.</summary>
internal sealed record PySpyResult
{
    private const int MostArguments = 4096;

    private const int MostThreads = 1_000_000;

    private const int MostMessages = 100;

    public required int ProcessId { get; init; }

    public string? CommandLine { get; init; }

    public string? PythonVersion { get; init; }

    /// <summary>py-spy's version.</summary>
    public string? Version { get; init; }

    /// <summary>The native ids of the process's threads; null where they could not be read.</summary>
    public IReadOnlySet<long>? Threads { get; init; }

    /// <summary>The number of the interval of a top, from 0.</summary>
    public int Sequence { get; init; }

    /// <summary>How long it ran, by the agent's clock.</summary>
    public double Seconds { get; init; }

    public int? Rate { get; init; }

    public long? ErrorCount { get; init; }

    /// <summary>By how many seconds the sampling was behind at most.</summary>
    public double? Behind { get; init; }

    /// <summary>
    /// The CPU time of the process meanwhile by the kernel's counter, in seconds; null where it is not known.
    /// </summary>
    public double? CpuSeconds { get; init; }

    /// <summary>The same of each thread that was there at the end, by its native id.</summary>
    public IReadOnlyDictionary<long, double> CpuByThread { get; init; } = new Dictionary<long, double>();

    /// <summary>The kernel's letters for the threads' states, just before; by their native ids.</summary>
    public IReadOnlyDictionary<long, string> States { get; init; } = new Dictionary<long, string>();

    /// <summary>How many samples were taken.</summary>
    public long? SampleCount { get; init; }

    /// <summary>Whether the process became another program meanwhile.</summary>
    public bool TargetReplaced { get; init; }

    /// <summary>How many of each thread's last samples may be of that other program.</summary>
    public long DoubtfulSamples { get; init; }

    /// <summary>Whether the target exited meanwhile.</summary>
    public bool TargetExited { get; init; }

    /// <summary>Whether the target was found stopped afterwards and was continued.</summary>
    public bool WasLeftStopped { get; init; }

    /// <summary>What py-spy said beyond its usual lines.</summary>
    public IReadOnlyList<string> Messages { get; init; } = [];

    /// <summary>Reads the agent's words; null where they name no process.</summary>
    public static PySpyResult? Parse(JsonElement item)
        => item.Integer("pid") is int pid && pid > 0
            ? new PySpyResult
            {
                ProcessId = pid,
                CommandLine = CommandLineOf(item),
                PythonVersion = item.Text("python"),
                Version = item.Text("version"),
                Threads = item.Part("threads").ValueKind == JsonValueKind.Array
                    ? item.Items("threads", MostThreads)
                        .Where(t => t.ValueKind == JsonValueKind.Number && t.TryGetInt64(out _))
                        .Select(t => t.GetInt64())
                        .ToHashSet()
                    : null,
                Sequence = item.Integer("sequence") ?? 0,
                Seconds = item.Number("seconds") ?? 0,
                Rate = item.Integer("rate"),
                ErrorCount = item.Long("errors"),
                Behind = item.Number("behind"),
                CpuSeconds = item.Number("cpu"),
                CpuByThread = Counters(item),
                States = StatesOf(item),
                SampleCount = item.Long("samples"),
                TargetReplaced = item.Text("ended") == "replaced",
                DoubtfulSamples = item.Long("doubtful") ?? 0,
                TargetExited = item.Text("ended") == "exited",
                WasLeftStopped = item.Flag("stopped") ?? false,
                Messages = item.Texts("messages", MostMessages),
            }
            : null;

    private static Dictionary<long, double> Counters(JsonElement item)
    {
        Dictionary<long, double> counters = [];
        JsonElement threads = item.Part("cpuByThread");
        foreach ((long id, string name) in Ids(threads))
        {
            if (threads.Number(name) is double seconds)
            {
                counters[id] = seconds;
            }
        }

        return counters;
    }

    private static Dictionary<long, string> StatesOf(JsonElement item)
    {
        Dictionary<long, string> states = [];
        JsonElement threads = item.Part("states");
        foreach ((long id, string name) in Ids(threads))
        {
            if (threads.Text(name) is string state)
            {
                states[id] = state;
            }
        }

        return states;
    }

    /// <summary>The names of an object's properties that are ids of threads.</summary>
    private static IEnumerable<(long Id, string Name)> Ids(JsonElement threads)
    {
        if (threads.ValueKind != JsonValueKind.Object)
        {
            yield break;
        }

        foreach (JsonProperty thread in threads.EnumerateObject().Take(MostThreads))
        {
            if (Json.Name(thread) is string name
                && long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long id))
            {
                yield return (id, name);
            }
        }
    }

    private static string? CommandLineOf(JsonElement item)
    {
        string command = Internal.CommandLine.Join(item.Texts("command", MostArguments));
        return command.Length == 0 ? null : command;
    }
}
