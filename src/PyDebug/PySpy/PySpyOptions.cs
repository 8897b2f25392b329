using System.Collections.Generic;

namespace PyDebug.Tools.PySpy;

/// <summary>What is asked of py-spy, and the arguments that say so.</summary>
internal sealed record PySpyOptions
{
    public const string Dump = "dump";

    public const string Record = "record";

    public const string Top = "top";

    /// <summary>One of the modes above. A top is made of short recordings: py-spy's own wants a terminal.</summary>
    public string Mode { get; init; } = Dump;

    public bool GilOnly { get; init; }

    public bool IncludeIdle { get; init; }

    public bool Native { get; init; }

    public bool IncludeLocals { get; init; }

    public bool NonBlocking { get; init; }

    /// <summary>Samples a second.</summary>
    public int SampleRate { get; init; } = 100;

    /// <summary>What the recording's values mean.</summary>
    public string Metric => GilOnly ? "Gil" : IncludeIdle ? "Wall" : "Cpu";

    /// <summary>
    /// The options behind those that the agent sets itself: process, format, file, rate and the end by the clock.
    /// </summary>
    public IReadOnlyList<string> Arguments()
    {
        List<string> arguments = [];
        Add(arguments, Native, "--native");
        Add(arguments, NonBlocking, "--nonblocking");
        if (Mode == Dump)
        {
            Add(arguments, IncludeLocals, "--locals");
        }
        else
        {
            Add(arguments, GilOnly, "--gil");
            Add(arguments, IncludeIdle, "--idle");
            arguments.Add("--full-filenames");
        }

        return arguments;
    }

    private static void Add(List<string> arguments, bool wanted, string argument)
    {
        if (wanted)
        {
            arguments.Add(argument);
        }
    }
}
